// The reading end.

#include "core.h"

#include <unistd.h>

/// The next message, lent; with the GIL, which is given away while there is none. INTERRUPTED with a Python exception set: a signal's
/// handler has raised it.
static mslot_view next_message(core_reader *self, int64_t timeout_ns)
{
    mslot_view view = mslot_reader_peek(self->handle, 0);
    if (view.outcome != MSLOT_EMPTY || timeout_ns <= 0) return view;
    core_slices slices = core_slices_begin(timeout_ns);
    view.outcome = MSLOT_TIMED_OUT;
    self->end.in_call = true;
    while (view.outcome == MSLOT_TIMED_OUT && core_slices_next(&slices)) {
        Py_BEGIN_ALLOW_THREADS;
        view = mslot_reader_peek(self->handle, slices.slice_ns);
        Py_END_ALLOW_THREADS;
    }
    self->end.in_call = false;
    return view;
}

/// What a read returns that has no message: None if there was none in time.
static PyObject *without_message(core_reader *self, mslot_outcome outcome)
{
    if (PyErr_Occurred()) return NULL;
    if (outcome == MSLOT_EMPTY || outcome == MSLOT_TIMED_OUT) Py_RETURN_NONE;
    return core_fail_with(self, outcome, self->end.name);
}

/// Gives what was read back, or, if there was no memory for it, leaves it to the next read.
static PyObject *finished(core_reader *self, PyObject *result, size_t count)
{
    if (result == NULL) {
        mslot_reader_reset(self->handle);
        return NULL;
    }
    mslot_outcome outcome = mslot_reader_release(self->handle, count);
    if (outcome == MSLOT_DONE) return result;
    Py_DECREF(result);
    return core_fail_with(self, outcome, self->end.name);
}

/// The one argument of most reads, `timeout`, in nanoseconds; and whether the end is free. False with an exception.
static bool begin_read(core_reader *self, PyObject *const *given, Py_ssize_t count, PyObject *keywords, int64_t *timeout_ns)
{
    static const char *const names[] = {"timeout", NULL};
    *timeout_ns = MSLOT_FOREVER;
    if (count != 0 || keywords != NULL) {
        PyObject *timeout;
        if (!core_arguments(given, count, keywords, names, 0, &timeout) || !core_nanoseconds(timeout, timeout_ns)) return false;
    }
    return core_end_free(&self->end);
}

// MARK: reading

static PyObject *reader_read(core_reader *self, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    int64_t timeout_ns;
    if (!begin_read(self, given, count, keywords, &timeout_ns)) return NULL;
    mslot_view view = next_message(self, timeout_ns);
    if (view.outcome != MSLOT_DONE) return without_message(self, view.outcome);
    return finished(self, PyBytes_FromStringAndSize((const char *)view.bytes, view.byte_count), 1);
}

static PyObject *reader_read_message(core_reader *self, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    int64_t timeout_ns;
    if (!begin_read(self, given, count, keywords, &timeout_ns)) return NULL;
    mslot_view view = next_message(self, timeout_ns);
    if (view.outcome != MSLOT_DONE) return without_message(self, view.outcome);
    PyObject *message = core_message_create(core_state_of(self), view.bytes, view.byte_count, view.position, view.sender, view.origin);
    return finished(self, message, 1);
}

static PyObject *reader_read_into(core_reader *self, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"buffer", "timeout", NULL};
    PyObject *values[2];
    int64_t timeout_ns;
    if (!core_arguments(given, count, keywords, names, 1, values) || !core_nanoseconds(values[1], &timeout_ns)) return NULL;
    if (!core_end_free(&self->end)) return NULL;
    Py_buffer buffer;
    if (PyObject_GetBuffer(values[0], &buffer, PyBUF_WRITABLE) != 0) return NULL;
    mslot_view view = next_message(self, timeout_ns);
    PyObject *result;
    if (view.outcome != MSLOT_DONE) {
        result = without_message(self, view.outcome);
    } else if (view.byte_count > (size_t)buffer.len) {
        mslot_reader_reset(self->handle); // it stays
        result = core_fail_with(self, MSLOT_TOO_LONG, self->end.name);
    } else {
        memcpy(buffer.buf, view.bytes, view.byte_count);
        result = finished(self, PyLong_FromUnsignedLong(view.byte_count), 1);
    }
    PyBuffer_Release(&buffer);
    return result;
}

static PyObject *reader_read_batch(core_reader *self, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    static const char *const names[] = {"count", "timeout", NULL};
    PyObject *values[2];
    int64_t timeout_ns;
    if (!core_arguments(given, count, keywords, names, 1, values) || !core_nanoseconds(values[1], &timeout_ns)) return NULL;
    Py_ssize_t most = PyLong_AsSsize_t(values[0]);
    if (most == -1 && PyErr_Occurred()) return NULL;
    if (most < 1) {
        PyErr_SetString(PyExc_ValueError, "count is at least 1");
        return NULL;
    }
    if (!core_end_free(&self->end)) return NULL;
    PyObject *messages = PyList_New(0);
    if (messages == NULL) return NULL;
    Py_ssize_t taken = 0;
    mslot_view view = next_message(self, timeout_ns);
    if (view.outcome != MSLOT_DONE) {
        PyObject *none = without_message(self, view.outcome);
        if (none == NULL) Py_CLEAR(messages);
        Py_XDECREF(none);
        return messages;
    }
    while (view.outcome == MSLOT_DONE) {
        PyObject *bytes = PyBytes_FromStringAndSize((const char *)view.bytes, view.byte_count);
        bool is_kept = bytes != NULL && PyList_Append(messages, bytes) == 0;
        Py_XDECREF(bytes);
        if (!is_kept) {
            Py_CLEAR(messages);
            break;
        }
        if (++taken == most) break;
        view = mslot_reader_peek(self->handle, 0);
    }
    return finished(self, messages, (size_t)taken);
}

static PyObject *reader_lend(core_reader *self, PyObject *const *given, Py_ssize_t count, PyObject *keywords)
{
    int64_t timeout_ns;
    if (!begin_read(self, given, count, keywords, &timeout_ns)) return NULL;
    mslot_view view = next_message(self, timeout_ns);
    if (view.outcome != MSLOT_DONE) return without_message(self, view.outcome);
    core_loan *lent = core_loan_create(&self->end, core_state_of(self)->lent_type, (void *)(uintptr_t)view.bytes, view.byte_count);
    if (lent == NULL) {
        mslot_reader_reset(self->handle);
        return NULL;
    }
    lent->position = view.position;
    lent->sender = view.sender;
    lent->origin = view.origin;
    return (PyObject *)lent;
}

static PyObject *reader_next(core_reader *self) { return reader_read(self, NULL, 0, NULL); }

static PyObject *reader_interrupt(core_reader *self, PyObject *Py_UNUSED(ignored))
{
    if (!self->end.is_open) return core_fail_with(self, MSLOT_NOT_OPEN, self->end.name);
    mslot_reader_interrupt(self->handle);
    Py_RETURN_NONE;
}

// MARK: for event loops

/// DONE: there is something to read. EMPTY: the wait has begun, or goes on; its end is told to the eventfd `descriptor`.
static PyObject *reader_begin_wait(core_reader *self, PyObject *descriptor)
{
    if (!core_wait_prepare(&self->end, descriptor)) return NULL;
    mslot_outcome outcome = mslot_reader_begin_wait(self->handle, &self->end.wait);
    // BUSY says nothing of ours: it may be the one that is on.
    if (outcome != MSLOT_BUSY) self->end.in_wait = outcome == MSLOT_EMPTY;
    if (outcome == MSLOT_DONE || outcome == MSLOT_EMPTY) return PyLong_FromLong(outcome);
    return core_fail_with(self, outcome, self->end.name);
}

static void stop_wait(core_reader *self)
{
    if (!self->end.in_wait) return;
    core_wait_stop(&self->end);
    mslot_reader_end_wait(self->handle);
    self->end.in_wait = false;
}

static PyObject *reader_end_wait(core_reader *self, PyObject *Py_UNUSED(ignored))
{
    stop_wait(self);
    Py_RETURN_NONE;
}

// MARK: the end of it

static PyObject *end_by(core_reader *self, mslot_outcome (*call)(mslot_reader *))
{
    if (!self->end.is_open) Py_RETURN_NONE;
    if (self->end.in_call) return core_fail_with(self, MSLOT_BUSY, self->end.name);
    if (!core_loan_end(&self->end)) return NULL;
    stop_wait(self);
    self->end.is_open = false;
    mslot_outcome outcome = call(self->handle);
    self->handle = NULL;
    // A child's handle is no one's, and that it is gone is what was asked for.
    if (outcome == MSLOT_DONE || outcome == MSLOT_FORKED) Py_RETURN_NONE;
    return core_fail_with(self, outcome, self->end.name);
}

static PyObject *reader_close(core_reader *self, PyObject *Py_UNUSED(ignored)) { return end_by(self, mslot_reader_close); }

static PyObject *reader_leave(core_reader *self, PyObject *Py_UNUSED(ignored)) { return end_by(self, mslot_reader_leave); }

static PyObject *reader_exit(core_reader *self, PyObject *const *Py_UNUSED(given), Py_ssize_t Py_UNUSED(count))
{
    return reader_close(self, NULL);
}

static void reader_dealloc(core_reader *self)
{
    if (self->end.is_open) {
        stop_wait(self);
        mslot_reader_close(self->handle);
    }
    Py_XDECREF(self->end.name);
    core_free(self);
}

// MARK: the beginning

static PyObject *reader_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"name", "capacity", "writers", "max_message_size", "mode", "adopt", "allow_remote", "lock_pages",
        "announces_death", "polling", NULL};
    PyObject *name, *polling = NULL;
    unsigned capacity = 0, writers = 0, max_message_size = 0, mode = 0;
    int adopt = 0, allow_remote = 0, lock_pages = 0, announces_death = 0;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "U|$IIIIppppO:Reader", names, &name, &capacity, &writers, &max_message_size,
            &mode, &adopt, &allow_remote, &lock_pages, &announces_death, &polling))
        return NULL;
    mslot_create_options options = mslot_create_options_default();
    options.capacity = capacity;
    options.writers = writers;
    options.message_bytes_max = max_message_size;
    options.mode = mode;
    options.adopt = adopt;
    options.allow_remote = allow_remote;
    options.lock_pages = lock_pages;
    options.announces_death = announces_death;
    if (!core_polling(polling, &options.polling_ns)) return NULL;
    const char *text = core_text_of(name);
    if (text == NULL) return NULL;

    mslot_created created;
    Py_BEGIN_ALLOW_THREADS;
    created = mslot_create(text, &options);
    Py_END_ALLOW_THREADS;
    if (created.reader == NULL) return core_fail((core_state *)PyType_GetModuleState(type), &created.failure, name);
    core_reader *self = core_allocate(type);
    if (self == NULL) {
        mslot_reader_close(created.reader);
        return NULL;
    }
    self->end.name = Py_NewRef(name);
    self->end.process = getpid();
    self->end.is_open = true;
    self->handle = created.reader;
    self->adopted = created.adopted;
    self->unread_count = created.unread_count;
    return (PyObject *)self;
}

// MARK: what it is

static PyObject *reader_info(core_reader *self, PyObject *Py_UNUSED(ignored))
{
    if (!core_end_usable(&self->end)) return NULL;
    mslot_info info;
    mslot_outcome outcome = mslot_reader_info_into(self->handle, &info, sizeof info);
    return outcome == MSLOT_DONE ? core_info(&info) : core_fail_with(self, outcome, self->end.name);
}

static PyObject *reader_get_adopted(core_reader *self, void *Py_UNUSED(closure)) { return PyBool_FromLong(self->adopted); }
static PyObject *reader_get_unread_count(core_reader *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLong(self->unread_count);
}

static PyGetSetDef attributes[] = {{"name", (getter)core_end_name, NULL, NULL, NULL}, {"closed", (getter)core_end_closed, NULL, NULL, NULL},
    {"adopted", (getter)reader_get_adopted, NULL, NULL, NULL}, {"unread_count", (getter)reader_get_unread_count, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyMethodDef methods[] = {
    {"read", CORE_FAST(reader_read), METH_FASTCALL | METH_KEYWORDS,
        "read($self, /, timeout=None)\n--\n\n"
        "The next message as bytes; None if none came within `timeout` seconds. None waits for ever, 0 does not wait.\n"
        "\n"
        "Other threads run meanwhile, and signals are handled within a tenth of a second."},
    {"read_message", CORE_FAST(reader_read_message), METH_FASTCALL | METH_KEYWORDS,
        "read_message($self, /, timeout=None)\n--\n\n"
        "As read, with the message's position, sender and origin: a Message."},
    {"read_into", CORE_FAST(reader_read_into), METH_FASTCALL | METH_KEYWORDS,
        "read_into($self, /, buffer, timeout=None)\n--\n\n"
        "Copies the next message into a writable buffer, and returns how many bytes it has; None as read.\n"
        "\n"
        "TooLongError: the buffer is too small, and the message stays."},
    {"read_batch", CORE_FAST(reader_read_batch), METH_FASTCALL | METH_KEYWORDS,
        "read_batch($self, /, count, timeout=None)\n--\n\n"
        "As many messages as are there, at most `count`, as a list of bytes; waits only for the first. Writers that wait for\n"
        "room are woken once."},
    {"lend", CORE_FAST(reader_lend), METH_FASTCALL | METH_KEYWORDS,
        "lend($self, /, timeout=None)\n--\n\n"
        "The next message in place, without a copy: a LentMessage, to be released; None as read. One at a time.\n"
        "\n"
        "It is shared memory: a process that may write the mailslot can change it while you look. Copy what you decide on. It is\n"
        "not there in the child of a fork."},
    {"interrupt", CORE_FAST(reader_interrupt), METH_NOARGS,
        "interrupt($self, /)\n--\n\n"
        "Ends the wait that is on, or the next one, with WaitInterruptedError. From any thread."},
    {"info", CORE_FAST(reader_info), METH_NOARGS,
        "info($self, /)\n--\n\n"
        "What the reader can see of its mailslot: a dictionary; see Info."},
    {"close", CORE_FAST(reader_close), METH_NOARGS,
        "close($self, /)\n--\n\n"
        "Closes: discards what is unread, tells the writers, and frees the name. Once it is closed it does nothing."},
    {"leave", CORE_FAST(reader_leave), METH_NOARGS,
        "leave($self, /)\n--\n\n"
        "Closes, but keeps the mailslot with what is unread, for the next reader with `adopt`."},
    {"_begin_wait", (PyCFunction)reader_begin_wait, METH_O, NULL}, {"_end_wait", CORE_FAST(reader_end_wait), METH_NOARGS, NULL},
    {"__enter__", CORE_FAST(core_end_enter), METH_NOARGS, NULL}, {"__exit__", CORE_FAST(reader_exit), METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {{Py_tp_doc, "Creates a mailslot, to read from it."}, {Py_tp_new, reader_new}, {Py_tp_dealloc, reader_dealloc},
    {Py_tp_methods, methods}, {Py_tp_getset, attributes}, {Py_tp_iter, PyObject_SelfIter}, {Py_tp_iternext, reader_next}, {0, NULL}};

PyType_Spec core_reader_spec = {
    .name = "mailslots.Reader", .basicsize = sizeof(core_reader), .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, .slots = slots};
