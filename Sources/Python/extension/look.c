// Looking at mailslots as a third party: information, names, messages that are read by others.

#include "core.h"

#include <stdlib.h>

// MARK: information

/// Sets one item, and lets go of the value, which may be NULL with an exception. False with an exception.
static bool set_item(PyObject *dictionary, const char *key, PyObject *value)
{
    bool is_set = value != NULL && PyDict_SetItemString(dictionary, key, value) == 0;
    Py_XDECREF(value);
    return is_set;
}

static PyObject *counters_of(const mslot_info *info)
{
    PyObject *counters = PyDict_New();
    const mslot_counter *counter;
    for (size_t i = 0; counters != NULL && (counter = mslot_counter_describe(i)) != NULL; i++) {
        uint64_t value;
        memcpy(&value, (const char *)info + counter->offset, sizeof value);
        if (!set_item(counters, counter->name, PyLong_FromUnsignedLongLong(value))) Py_CLEAR(counters);
    }
    return counters;
}

PyObject *core_info(const mslot_info *info)
{
    PyObject *fields = PyDict_New();
    if (fields == NULL) return NULL;
    bool is_whole = set_item(fields, "name", PyUnicode_DecodeUTF8(info->name, (Py_ssize_t)strlen(info->name), "replace"))
        && set_item(fields, "message_count", PyLong_FromUnsignedLong(info->message_count))
        && set_item(fields, "next_message_size", info->next_byte_count < 0 ? Py_NewRef(Py_None) : PyLong_FromLong(info->next_byte_count))
        && set_item(fields, "capacity", PyLong_FromUnsignedLong(info->capacity))
        && set_item(fields, "max_writers", PyLong_FromUnsignedLong(info->writers_max))
        && set_item(fields, "writer_count", PyLong_FromUnsignedLong(info->writer_count))
        && set_item(fields, "max_message_size", PyLong_FromUnsignedLong(info->message_bytes_max))
        && set_item(fields, "segment_size", PyLong_FromUnsignedLongLong(info->segment_bytes))
        && set_item(fields, "created", PyFloat_FromDouble((double)info->created_ns / 1e9))
        && set_item(fields, "reader_since", PyFloat_FromDouble((double)info->reader_since_ns / 1e9))
        && set_item(fields, "reader_present", PyBool_FromLong(info->reader_present))
        && set_item(fields, "reader_pid", PyLong_FromUnsignedLong(info->reader_pid))
        && set_item(fields, "reader_uid", PyLong_FromUnsignedLong(info->reader_uid))
        && set_item(fields, "owner_uid", PyLong_FromUnsignedLong(info->owner_uid))
        && set_item(fields, "mode", PyLong_FromUnsignedLong(info->mode))
        && set_item(fields, "allows_remote", PyBool_FromLong(info->allows_remote)) && set_item(fields, "counters", counters_of(info));
    if (!is_whole) Py_CLEAR(fields);
    return fields;
}

// MARK: by name

static core_state *state_of_module(PyObject *module) { return (core_state *)PyModule_GetState(module); }

static PyObject *core_inspect(PyObject *module, PyObject *name)
{
    const char *text = core_text_of(name);
    if (text == NULL) return NULL;
    mslot_inspected inspected;
    Py_BEGIN_ALLOW_THREADS;
    inspected = mslot_inspect(text);
    Py_END_ALLOW_THREADS;
    if (inspected.failure.outcome != MSLOT_DONE) return core_fail(state_of_module(module), &inspected.failure, name);
    return core_info(&inspected.info);
}

/// With the GIL, as all that Python's lists need.
static void append_name(const char *name, void *context)
{
    PyObject **names = (PyObject **)context;
    if (*names == NULL) return;
    PyObject *text = PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace");
    if (text == NULL || PyList_Append(*names, text) != 0) Py_CLEAR(*names);
    Py_XDECREF(text);
}

static void skip(const char *Py_UNUSED(name), const mslot_failure *Py_UNUSED(why), void *Py_UNUSED(context)) {}

static PyObject *core_names(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    PyObject *names = PyList_New(0);
    // What is another user's and cannot be opened must not hide the others.
    mslot_failure failure = mslot_list_with_skipped(append_name, skip, &names);
    if (names == NULL || failure.outcome == MSLOT_DONE) return names;
    Py_DECREF(names);
    PyObject *all = PyUnicode_FromString("*");
    PyObject *none = all != NULL ? core_fail(state_of_module(module), &failure, all) : NULL;
    Py_XDECREF(all);
    return none;
}

static PyObject *core_remove(PyObject *module, PyObject *name)
{
    const char *text = core_text_of(name);
    if (text == NULL) return NULL;
    mslot_failure failure = mslot_remove(text);
    if (failure.outcome != MSLOT_DONE) return core_fail(state_of_module(module), &failure, name);
    Py_RETURN_NONE;
}

static PyObject *core_path(PyObject *module, PyObject *name)
{
    const char *text = core_text_of(name);
    if (text == NULL) return NULL;
    char path[4096];
    mslot_failure failure = mslot_path(text, path, sizeof path);
    if (failure.outcome != MSLOT_DONE) return core_fail(state_of_module(module), &failure, name);
    return PyUnicode_DecodeFSDefault(path);
}

static PyObject *core_guard(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    mslot_failure failure = mslot_guard_install();
    if (failure.outcome != MSLOT_DONE) return core_fail(state_of_module(module), &failure, NULL);
    Py_RETURN_NONE;
}

static PyObject *core_eventfd(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    int descriptor = mslot_eventfd_create();
    return descriptor >= 0 ? PyLong_FromLong(descriptor) : PyErr_SetFromErrno(PyExc_OSError);
}

PyMethodDef core_look_methods[] = {{"inspect", core_inspect, METH_O,
                                       "inspect($module, name, /)\n--\n\n"
                                       "A mailslot at this moment, as a dictionary; see Info. Nobody is disturbed."},
    {"names", core_names, METH_NOARGS,
        "names($module, /)\n--\n\n"
        "The names of the mailslots that this user may read."},
    {"remove", core_remove, METH_O,
        "remove($module, name, /)\n--\n\n"
        "Removes a mailslot whose reader is gone, with its unread messages. AlreadyExistsError: it has a reader."},
    {"path", core_path, METH_O,
        "path($module, name, /)\n--\n\n"
        "The path of the file of a name."},
    {"guard_against_truncation", core_guard, METH_NOARGS,
        "guard_against_truncation($module, /)\n--\n\n"
        "Makes a mailslot whose file another process cuts short a DamagedError, where touching it would kill this process.\n"
        "Installs a handler of SIGBUS: at the start of the program, after other such handlers."},
    {"_eventfd", core_eventfd, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};

// MARK: an observer

typedef struct core_observer {
    PyObject_HEAD PyObject *name;
    mslot_observer *handle;
    /// Where messages are copied to; grows with them.
    unsigned char *buffer;
    size_t capacity;
} core_observer;

static PyObject *observer_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"name", "back", NULL};
    PyObject *name;
    unsigned back = 0;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "U|$I:Observer", names, &name, &back)) return NULL;
    const char *text = core_text_of(name);
    if (text == NULL) return NULL;
    mslot_observer_opened opened = mslot_observer_open(text, back);
    if (opened.observer == NULL) return core_fail((core_state *)PyType_GetModuleState(type), &opened.failure, name);
    core_observer *self = core_allocate(type);
    if (self == NULL) {
        mslot_observer_close(opened.observer);
        return NULL;
    }
    self->name = Py_NewRef(name);
    self->handle = opened.observer;
    return (PyObject *)self;
}

static PyObject *observer_read(core_observer *self, PyObject *Py_UNUSED(ignored))
{
    if (self->handle == NULL) return core_fail_with(self, MSLOT_NOT_OPEN, self->name);
    mslot_observed observed = mslot_observer_next(self->handle, self->buffer, self->capacity);
    // Again and again, for the next may be gone meanwhile, and another be longer.
    while (observed.outcome == MSLOT_TOO_LONG) {
        unsigned char *larger = realloc(self->buffer, observed.byte_count);
        if (larger == NULL) return PyErr_NoMemory();
        self->buffer = larger;
        self->capacity = observed.byte_count;
        observed = mslot_observer_next(self->handle, self->buffer, self->capacity);
    }
    if (observed.outcome == MSLOT_EMPTY) Py_RETURN_NONE;
    if (observed.outcome != MSLOT_DONE) return core_fail_with(self, observed.outcome, self->name);
    PyObject *message =
        core_message_create(core_state_of(self), self->buffer, observed.byte_count, observed.position, observed.sender, observed.origin);
    if (message == NULL) return NULL;
    return Py_BuildValue("(NK)", message, (unsigned long long)observed.missed);
}

static PyObject *observer_close(core_observer *self, PyObject *Py_UNUSED(ignored))
{
    if (self->handle != NULL) mslot_observer_close(self->handle);
    self->handle = NULL;
    Py_RETURN_NONE;
}

static PyObject *observer_enter(PyObject *self, PyObject *Py_UNUSED(ignored)) { return Py_NewRef(self); }

static PyObject *observer_exit(core_observer *self, PyObject *const *Py_UNUSED(given), Py_ssize_t Py_UNUSED(count))
{
    return observer_close(self, NULL);
}

static void observer_dealloc(core_observer *self)
{
    if (self->handle != NULL) mslot_observer_close(self->handle);
    free(self->buffer);
    Py_XDECREF(self->name);
    core_free(self);
}

static PyMethodDef methods[] = {
    {"read", CORE_FAST(observer_read), METH_NOARGS,
        "read($self, /)\n--\n\n"
        "The next message and how many before it were gone before they were seen; None: there is none yet. Never waits.\n"
        "\n"
        "ClosedError: there will be no more."},
    {"close", CORE_FAST(observer_close), METH_NOARGS,
        "close($self, /)\n--\n\n"
        "Closes. Once it is closed it does nothing."},
    {"__enter__", CORE_FAST(observer_enter), METH_NOARGS, NULL}, {"__exit__", CORE_FAST(observer_exit), METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {{Py_tp_doc, "Sees a mailslot's messages without taking them."}, {Py_tp_new, observer_new},
    {Py_tp_dealloc, observer_dealloc}, {Py_tp_methods, methods}, {0, NULL}};

PyType_Spec core_observer_spec = {.name = "mailslots.Observer",
    .basicsize = sizeof(core_observer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots};
