// Memory of a mailslot as a Python buffer: a writer's slot, to be filled in place, and a reader's message, to be looked at in place.
//
// Such a buffer must not outlive what it shows, for the slot is somebody else's then. So a loan counts its buffers, and does not end while
// there is one, as a bytearray does not grow.

#include "core.h"

core_loan *core_loan_create(core_end *owner, PyTypeObject *type, void *bytes, size_t byte_count)
{
    core_loan *loan = core_allocate(type);
    if (loan == NULL) return NULL;
    loan->owner = owner;
    Py_INCREF((PyObject *)owner);
    loan->bytes = bytes;
    loan->byte_count = byte_count;
    owner->loan = loan;
    return loan;
}

/// False with a BufferError.
static bool is_unseen(const core_loan *loan)
{
    if (loan->exports == 0) return true;
    PyErr_SetString(PyExc_BufferError, "a memoryview still looks at these bytes; release it first");
    return false;
}

/// It is over; may free the owner.
static void forget(core_loan *loan)
{
    core_end *owner = loan->owner;
    if (owner == NULL) return;
    owner->loan = NULL;
    loan->owner = NULL;
    loan->bytes = NULL;
    Py_DECREF((PyObject *)owner);
}

bool core_loan_end(core_end *owner)
{
    core_loan *loan = owner->loan;
    if (loan == NULL) return true;
    if (!is_unseen(loan)) return false;
    forget(loan);
    return true;
}

/// False with an exception: it is over, its end is in a call, or somebody looks at it.
static bool can_end(core_loan *loan)
{
    if (loan->owner == NULL) {
        PyErr_SetString(PyExc_ValueError, "this loan is over");
        return false;
    }
    return is_unseen(loan) && core_end_usable(loan->owner);
}

// MARK: a writer's

static PyObject *loan_publish(core_loan *self, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"size", "timeout", NULL};
    PyObject *values[2];
    int64_t timeout_ns;
    if (!core_arguments(given, count, keywords, names, 0, values) || !core_nanoseconds(values[1], &timeout_ns)) return NULL;
    size_t byte_count = self->byte_count;
    if (values[0] != NULL && values[0] != Py_None) {
        byte_count = PyLong_AsSize_t(values[0]);
        if (byte_count == (size_t)-1 && PyErr_Occurred()) return NULL;
    }
    if (!can_end(self)) return NULL;
    core_writer *writer = (core_writer *)self->owner;
    mslot_outcome outcome = mslot_writer_publish(writer->handle, byte_count, 0);
    if (outcome == MSLOT_FULL && timeout_ns > 0) {
        core_slices slices = core_slices_begin(timeout_ns);
        outcome = MSLOT_TIMED_OUT;
        writer->end.in_call = true;
        while (outcome == MSLOT_TIMED_OUT && core_slices_next(&slices)) {
            Py_BEGIN_ALLOW_THREADS;
            outcome = mslot_writer_publish(writer->handle, byte_count, slices.slice_ns);
            Py_END_ALLOW_THREADS;
        }
        writer->end.in_call = false;
    }
    if (PyErr_Occurred()) return NULL;
    if (outcome == MSLOT_FULL || outcome == MSLOT_TIMED_OUT) Py_RETURN_FALSE;
    if (outcome != MSLOT_DONE) return core_fail_with(self, outcome, writer->end.name);
    forget(self);
    Py_RETURN_TRUE;
}

/// Not an error when it is over.
static PyObject *loan_abandon(core_loan *self, PyObject *Py_UNUSED(ignored))
{
    if (self->owner == NULL) Py_RETURN_NONE;
    if (!can_end(self)) return NULL;
    mslot_writer_abandon(((core_writer *)self->owner)->handle);
    forget(self);
    Py_RETURN_NONE;
}

// MARK: a reader's

/// Not an error when it is over.
static PyObject *lent_release(core_loan *self, PyObject *Py_UNUSED(ignored))
{
    if (self->owner == NULL) Py_RETURN_NONE;
    if (!can_end(self)) return NULL;
    core_reader *reader = (core_reader *)self->owner;
    mslot_outcome outcome = mslot_reader_release(reader->handle, 1);
    PyObject *result = outcome == MSLOT_DONE ? Py_NewRef(Py_None) : core_fail_with(self, outcome, reader->end.name);
    forget(self);
    return result;
}

static PyObject *lent_get_position(core_loan *self, void *Py_UNUSED(closure)) { return PyLong_FromUnsignedLongLong(self->position); }
static PyObject *lent_get_sender(core_loan *self, void *Py_UNUSED(closure)) { return PyLong_FromUnsignedLong(self->sender); }
static PyObject *lent_get_origin(core_loan *self, void *Py_UNUSED(closure)) { return PyLong_FromUnsignedLong(self->origin); }

// MARK: both

static int get_buffer(core_loan *self, Py_buffer *buffer, int flags, bool is_read_only)
{
    buffer->obj = NULL;
    if (self->bytes == NULL) {
        PyErr_SetString(PyExc_BufferError, "this loan is over");
        return -1;
    }
    if (PyBuffer_FillInfo(buffer, (PyObject *)self, self->bytes, (Py_ssize_t)self->byte_count, is_read_only, flags) != 0) return -1;
    self->exports++;
    return 0;
}

static int loan_get_buffer(core_loan *self, Py_buffer *buffer, int flags) { return get_buffer(self, buffer, flags, false); }
static int lent_get_buffer(core_loan *self, Py_buffer *buffer, int flags) { return get_buffer(self, buffer, flags, true); }
static void release_buffer(core_loan *self, Py_buffer *Py_UNUSED(buffer)) { self->exports--; }
static Py_ssize_t loan_length(core_loan *self) { return (Py_ssize_t)(self->bytes != NULL ? self->byte_count : 0); }
static PyObject *loan_enter(PyObject *self, PyObject *Py_UNUSED(ignored)) { return Py_NewRef(self); }

static PyObject *loan_exit(core_loan *self, PyObject *const *Py_UNUSED(given), Py_ssize_t Py_UNUSED(count))
{
    return loan_abandon(self, NULL);
}

static PyObject *lent_exit(core_loan *self, PyObject *const *Py_UNUSED(given), Py_ssize_t Py_UNUSED(count))
{
    return lent_release(self, NULL);
}

static void dealloc(core_loan *self, PyObject *(*end)(core_loan *, PyObject *))
{
    // No buffer is left, for each holds us; nobody is in a call on us, either.
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (self->owner != NULL) {
        Py_XDECREF(end(self, NULL));
        PyErr_Clear();
        forget(self);
    }
    PyErr_Restore(type, value, traceback);
    core_free(self);
}

static void loan_dealloc(core_loan *self) { dealloc(self, loan_abandon); }
static void lent_dealloc(core_loan *self) { dealloc(self, lent_release); }

static PyMethodDef loan_methods[] = {
    {"publish", CORE_FAST(loan_publish), METH_FASTCALL | METH_KEYWORDS,
        "publish($self, /, size=None, timeout=None)\n--\n\n"
        "Makes the first `size` bytes a message; None: all. False as Writer.write: the loan goes on then."},
    {"abandon", CORE_FAST(loan_abandon), METH_NOARGS,
        "abandon($self, /)\n--\n\n"
        "Gives the loan up: nothing is written. Once it is over it does nothing."},
    {"__enter__", CORE_FAST(loan_enter), METH_NOARGS, NULL}, {"__exit__", CORE_FAST(loan_exit), METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL}};

static PyMethodDef lent_methods[] = {{"release", CORE_FAST(lent_release), METH_NOARGS,
                                         "release($self, /)\n--\n\n"
                                         "Gives the message back. Once it is released it does nothing."},
    {"__enter__", CORE_FAST(loan_enter), METH_NOARGS, NULL}, {"__exit__", CORE_FAST(lent_exit), METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef lent_attributes[] = {{"position", (getter)lent_get_position, NULL, NULL, NULL},
    {"sender", (getter)lent_get_sender, NULL, NULL, NULL}, {"origin", (getter)lent_get_origin, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot loan_slots[] = {{Py_tp_doc, "A slot of a writer's, to be filled in place."}, {Py_tp_dealloc, loan_dealloc},
    {Py_tp_methods, loan_methods}, {Py_sq_length, loan_length}, {Py_bf_getbuffer, loan_get_buffer}, {Py_bf_releasebuffer, release_buffer},
    {0, NULL}};

static PyType_Slot lent_slots[] = {{Py_tp_doc, "A message in place."}, {Py_tp_dealloc, lent_dealloc}, {Py_tp_methods, lent_methods},
    {Py_tp_getset, lent_attributes}, {Py_sq_length, loan_length}, {Py_bf_getbuffer, lent_get_buffer}, {Py_bf_releasebuffer, release_buffer},
    {0, NULL}};

#define LOAN_FLAGS (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION)

PyType_Spec core_loan_spec = {.name = "mailslots.Loan", .basicsize = sizeof(core_loan), .flags = LOAN_FLAGS, .slots = loan_slots};
PyType_Spec core_lent_spec = {.name = "mailslots.LentMessage", .basicsize = sizeof(core_loan), .flags = LOAN_FLAGS, .slots = lent_slots};
