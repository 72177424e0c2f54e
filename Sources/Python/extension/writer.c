// The writing end.

#include "core.h"

#include <stdlib.h>
#include <unistd.h>

/// What a write returns: whether it was written, or an exception.
static PyObject *written(core_writer *self, mslot_outcome outcome)
{
    if (PyErr_Occurred()) return NULL;
    switch (outcome) {
    case MSLOT_DONE: Py_RETURN_TRUE;
    case MSLOT_FULL:
    case MSLOT_TIMED_OUT: Py_RETURN_FALSE;
    default: return core_fail_with(self, outcome, self->end.name);
    }
}

// MARK: writing

static PyObject *writer_write(core_writer *self, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"message", "timeout", NULL};
    PyObject *values[2];
    int64_t timeout_ns = MSLOT_FOREVER;
    if (count == 1 && keywords == NULL) {
        values[0] = given[0];
    } else if (!core_arguments(given, count, keywords, names, 1, values) || !core_nanoseconds(values[1], &timeout_ns)) {
        return NULL;
    }
    if (!core_end_free(&self->end)) return NULL;
    Py_buffer message;
    if (PyObject_GetBuffer(values[0], &message, PyBUF_SIMPLE) != 0) return NULL;
    mslot_outcome outcome = mslot_writer_write(self->handle, message.buf, (size_t)message.len, 0);
    if (outcome == MSLOT_FULL && timeout_ns > 0) {
        core_slices slices = core_slices_begin(timeout_ns);
        outcome = MSLOT_TIMED_OUT;
        self->end.in_call = true;
        while (outcome == MSLOT_TIMED_OUT && core_slices_next(&slices)) {
            Py_BEGIN_ALLOW_THREADS;
            outcome = mslot_writer_write(self->handle, message.buf, (size_t)message.len, slices.slice_ns);
            Py_END_ALLOW_THREADS;
        }
        self->end.in_call = false;
    }
    PyBuffer_Release(&message);
    return written(self, outcome);
}

/// Writes all that there is room for, waiting for room. The outcome is that of the first that was not written.
static mslot_batch write_all(core_writer *self, const mslot_bytes *messages, size_t count, int64_t timeout_ns)
{
    mslot_batch all = mslot_writer_write_batch(self->handle, messages, count, 0);
    if (all.outcome != MSLOT_FULL || timeout_ns <= 0) return all;
    core_slices slices = core_slices_begin(timeout_ns);
    all.outcome = MSLOT_TIMED_OUT;
    self->end.in_call = true;
    while (all.outcome == MSLOT_TIMED_OUT && core_slices_next(&slices)) {
        mslot_batch more;
        Py_BEGIN_ALLOW_THREADS;
        more = mslot_writer_write_batch(self->handle, messages + all.count, count - all.count, slices.slice_ns);
        Py_END_ALLOW_THREADS;
        all.count += more.count;
        all.outcome = more.outcome;
    }
    self->end.in_call = false;
    return all;
}

static PyObject *writer_write_batch(core_writer *self, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"messages", "timeout", NULL};
    PyObject *values[2];
    int64_t timeout_ns;
    if (!core_arguments(given, count, keywords, names, 1, values) || !core_nanoseconds(values[1], &timeout_ns)) return NULL;
    PyObject *list = PySequence_List(values[0]);
    if (list == NULL) return NULL;
    Py_ssize_t message_count = PyList_Size(list), held = 0;
    Py_buffer *buffers = calloc((size_t)message_count + 1, sizeof *buffers);
    mslot_bytes *messages = calloc((size_t)message_count + 1, sizeof *messages);
    PyObject *result = NULL;
    if (buffers == NULL || messages == NULL) {
        PyErr_NoMemory();
        goto end;
    }
    for (; held < message_count; held++) {
        if (PyObject_GetBuffer(PyList_GetItem(list, held), &buffers[held], PyBUF_SIMPLE) != 0) goto end;
        messages[held] = (mslot_bytes){buffers[held].buf, (size_t)buffers[held].len};
    }
    // After the arguments' own code, which may have closed it.
    if (!core_end_free(&self->end)) goto end;
    mslot_batch batch = {MSLOT_DONE, 0};
    if (message_count > 0) batch = write_all(self, messages, (size_t)message_count, timeout_ns);
    // An error of a later one is told by the next call: how many were written must not be lost with it.
    PyObject *is_written = batch.count > 0 && !PyErr_Occurred() ? Py_NewRef(Py_True) : written(self, batch.outcome);
    if (is_written != NULL) result = PyLong_FromSize_t(batch.count);
    Py_XDECREF(is_written);
end:
    while (held > 0) PyBuffer_Release(&buffers[--held]);
    free(buffers);
    free(messages);
    Py_DECREF(list);
    return result;
}

static PyObject *writer_loan(core_writer *self, PyObject *Py_UNUSED(ignored))
{
    if (!core_end_free(&self->end)) return NULL;
    mslot_loaned loaned = mslot_writer_loan(self->handle);
    if (loaned.outcome != MSLOT_DONE) return core_fail_with(self, loaned.outcome, self->end.name);
    core_loan *loan = core_loan_create(&self->end, core_state_of(self)->loan_type, loaned.bytes, self->loan_bytes_max);
    if (loan == NULL) mslot_writer_abandon(self->handle);
    return (PyObject *)loan;
}

static PyObject *writer_interrupt(core_writer *self, PyObject *Py_UNUSED(ignored))
{
    if (!self->end.is_open) return core_fail_with(self, MSLOT_NOT_OPEN, self->end.name);
    mslot_writer_interrupt(self->handle);
    Py_RETURN_NONE;
}

static PyObject *writer_has_reader(core_writer *self, PyObject *Py_UNUSED(ignored))
{
    if (!core_end_free(&self->end)) return NULL;
    if (mslot_writer_sees_close(self->handle)) Py_RETURN_FALSE;
    mslot_outcome outcome = mslot_writer_check_reader(self->handle);
    if (outcome == MSLOT_DONE) Py_RETURN_TRUE;
    if (outcome == MSLOT_NO_READER) Py_RETURN_FALSE;
    return core_fail_with(self, outcome, self->end.name);
}

// MARK: for event loops

/// DONE: it is written. FULL: the wait for room has begun, or goes on; its end is told to the eventfd. `was_full`: a write that did not
/// wait has found that out already, and counted it.
static PyObject *writer_write_or_begin_wait(core_writer *self, PyObject *const *given, Py_ssize_t count)
{
    if (count != 3) return PyErr_Format(PyExc_TypeError, "a message, a descriptor and whether it was full are taken");
    Py_buffer message;
    if (PyObject_GetBuffer(given[0], &message, PyBUF_SIMPLE) != 0) return NULL;
    PyObject *result = NULL;
    bool goes_on = self->end.in_wait;
    if (core_wait_prepare(&self->end, given[1])) {
        if (!goes_on) self->end.wait.was_full = given[2] == Py_True;
        mslot_outcome outcome = mslot_writer_write_or_begin_wait(self->handle, message.buf, (size_t)message.len, &self->end.wait);
        // BUSY says nothing of ours: it may be the one that is on.
        if (outcome != MSLOT_BUSY) self->end.in_wait = outcome == MSLOT_FULL;
        bool is_result = outcome == MSLOT_DONE || outcome == MSLOT_FULL;
        result = is_result ? PyLong_FromLong(outcome) : core_fail_with(self, outcome, self->end.name);
    }
    PyBuffer_Release(&message);
    return result;
}

static void stop_wait(core_writer *self)
{
    if (!self->end.in_wait) return;
    core_wait_stop(&self->end);
    mslot_writer_end_wait(self->handle);
    self->end.in_wait = false;
}

static PyObject *writer_end_wait(core_writer *self, PyObject *Py_UNUSED(ignored))
{
    stop_wait(self);
    Py_RETURN_NONE;
}

// MARK: the end of it

static PyObject *writer_close(core_writer *self, PyObject *Py_UNUSED(ignored))
{
    if (!self->end.is_open) Py_RETURN_NONE;
    if (self->end.in_call) return core_fail_with(self, MSLOT_BUSY, self->end.name);
    if (!core_loan_end(&self->end)) return NULL;
    stop_wait(self);
    self->end.is_open = false;
    mslot_outcome outcome = mslot_writer_close(self->handle);
    self->handle = NULL;
    if (outcome == MSLOT_DONE || outcome == MSLOT_FORKED) Py_RETURN_NONE;
    return core_fail_with(self, outcome, self->end.name);
}

static PyObject *writer_exit(core_writer *self, PyObject *const *Py_UNUSED(given), Py_ssize_t Py_UNUSED(count))
{
    return writer_close(self, NULL);
}

static void writer_dealloc(core_writer *self)
{
    if (self->end.is_open) {
        stop_wait(self);
        mslot_writer_close(self->handle);
    }
    Py_XDECREF(self->end.name);
    core_free(self);
}

// MARK: the beginning

static PyObject *writer_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {
        "name", "wait", "trust_user", "wait_through_restarts", "leaves_express_lane", "populate", "lock_pages", "polling", NULL};
    PyObject *name, *wait = NULL, *trust_user = Py_None, *polling = NULL;
    int wait_through_restarts = 0, leaves_express_lane = 0, populate = 0, lock_pages = 0;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "U|$OOppppO:Writer", names, &name, &wait, &trust_user, &wait_through_restarts,
            &leaves_express_lane, &populate, &lock_pages, &polling))
        return NULL;
    mslot_open_options options = mslot_open_options_default();
    options.wait_through_restarts = wait_through_restarts;
    options.leaves_express_lane = leaves_express_lane;
    options.populate = populate;
    options.lock_pages = lock_pages;
    int64_t wait_ns = 0;
    if ((wait != NULL && !core_nanoseconds(wait, &wait_ns)) || !core_polling(polling, &options.polling_ns)) return NULL;
    if (trust_user != Py_None) {
        options.trust_user = (uint32_t)PyLong_AsUnsignedLong(trust_user);
        if (PyErr_Occurred()) return NULL;
    }
    const char *text = core_text_of(name);
    if (text == NULL) return NULL;

    mslot_opened opened;
    core_slices slices = core_slices_begin(wait_ns);
    opened.writer = NULL;
    opened.failure.outcome = MSLOT_TIMED_OUT;
    while (opened.failure.outcome == MSLOT_TIMED_OUT && core_slices_next(&slices)) {
        options.wait_ns = wait_ns == 0 ? 0 : slices.slice_ns;
        Py_BEGIN_ALLOW_THREADS;
        opened = mslot_open(text, &options);
        Py_END_ALLOW_THREADS;
    }
    if (PyErr_Occurred()) return NULL;
    if (opened.writer == NULL) return core_fail((core_state *)PyType_GetModuleState(type), &opened.failure, name);
    core_writer *self = core_allocate(type);
    if (self == NULL) {
        mslot_writer_close(opened.writer);
        return NULL;
    }
    self->end.name = Py_NewRef(name);
    self->end.process = getpid();
    self->end.is_open = true;
    self->handle = opened.writer;
    uint32_t longest = mslot_writer_info(opened.writer).message_bytes_max;
    self->loan_bytes_max = longest < MSLOT_MESSAGE_BYTES_MAX ? longest : MSLOT_MESSAGE_BYTES_MAX;
    return (PyObject *)self;
}

// MARK: what it is

static PyObject *writer_info(core_writer *self, PyObject *Py_UNUSED(ignored))
{
    if (!core_end_usable(&self->end)) return NULL;
    mslot_info info;
    mslot_outcome outcome = mslot_writer_info_into(self->handle, &info, sizeof info);
    return outcome == MSLOT_DONE ? core_info(&info) : core_fail_with(self, outcome, self->end.name);
}

static PyGetSetDef attributes[] = {{"name", (getter)core_end_name, NULL, NULL, NULL}, {"closed", (getter)core_end_closed, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyMethodDef methods[] = {
    {"write", CORE_FAST(writer_write), METH_FASTCALL | METH_KEYWORDS,
        "write($self, /, message, timeout=None)\n--\n\n"
        "Writes a bytes-like object. False: there was no room within `timeout` seconds, and nothing was written. None waits for\n"
        "ever, 0 does not wait.\n"
        "\n"
        "Other threads run while it waits, and signals are handled within a tenth of a second. Let no other thread change the\n"
        "bytes meanwhile."},
    {"write_batch", CORE_FAST(writer_write_batch), METH_FASTCALL | METH_KEYWORDS,
        "write_batch($self, /, messages, timeout=None)\n--\n\n"
        "Writes bytes-like objects in order, and returns how many were written; the reader is woken once. The time-out is for all.\n"
        "\n"
        "An error is raised only if none was written."},
    {"loan", CORE_FAST(writer_loan), METH_NOARGS,
        "loan($self, /)\n--\n\n"
        "The writer's own slot, to be filled in place for as long as it takes: a Loan. Nobody waits for it. One at a time."},
    {"interrupt", CORE_FAST(writer_interrupt), METH_NOARGS,
        "interrupt($self, /)\n--\n\n"
        "Ends the wait for room that is on, or the next one, with WaitInterruptedError. From any thread."},
    {"has_reader", CORE_FAST(writer_has_reader), METH_NOARGS,
        "has_reader($self, /)\n--\n\n"
        "Whether the mailslot's reader is there: it has not closed it, was not killed and has not left. Half a microsecond."},
    {"info", CORE_FAST(writer_info), METH_NOARGS,
        "info($self, /)\n--\n\n"
        "What the writer can see of its mailslot: a dictionary; see Info."},
    {"close", CORE_FAST(writer_close), METH_NOARGS,
        "close($self, /)\n--\n\n"
        "Closes; an open loan is abandoned. Once it is closed it does nothing."},
    {"_write_or_begin_wait", CORE_FAST(writer_write_or_begin_wait), METH_FASTCALL, NULL},
    {"_end_wait", CORE_FAST(writer_end_wait), METH_NOARGS, NULL}, {"__enter__", CORE_FAST(core_end_enter), METH_NOARGS, NULL},
    {"__exit__", CORE_FAST(writer_exit), METH_FASTCALL, NULL}, {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {{Py_tp_doc, "Opens a mailslot, to write to it."}, {Py_tp_new, writer_new}, {Py_tp_dealloc, writer_dealloc},
    {Py_tp_methods, methods}, {Py_tp_getset, attributes}, {0, NULL}};

PyType_Spec core_writer_spec = {
    .name = "mailslots.Writer", .basicsize = sizeof(core_writer), .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, .slots = slots};
