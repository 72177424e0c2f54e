// Arguments, errors and waits: what both ends do alike.

#include "core.h"

#include <errno.h>
#include <math.h>
#include <time.h>
#include <unistd.h>

static const int64_t SLICE_NS = 100 * 1000 * 1000;

// MARK: arguments

bool core_arguments(
    PyObject *const *given, Py_ssize_t given_count, PyObject *keywords, const char *const *names, size_t required, PyObject **values)
{
    size_t count = 0;
    for (; names[count] != NULL; count++) values[count] = NULL;
    if ((size_t)given_count > count) {
        PyErr_Format(PyExc_TypeError, "at most %zu arguments are taken, and %zd were given", count, given_count);
        return false;
    }
    for (Py_ssize_t i = 0; i < given_count; i++) values[i] = given[i];
    Py_ssize_t keyword_count = keywords != NULL ? PyTuple_Size(keywords) : 0;
    for (Py_ssize_t i = 0; i < keyword_count; i++) {
        PyObject *keyword = PyTuple_GetItem(keywords, i);
        size_t index = 0;
        while (index < count && PyUnicode_CompareWithASCIIString(keyword, names[index]) != 0) index++;
        if (index == count || values[index] != NULL) {
            PyErr_Format(PyExc_TypeError, index == count ? "there is no argument %R" : "the argument %R was given twice", keyword);
            return false;
        }
        values[index] = given[given_count + i];
    }
    for (size_t i = 0; i < required; i++) {
        if (values[i] != NULL) continue;
        PyErr_Format(PyExc_TypeError, "the argument '%s' is missing", names[i]);
        return false;
    }
    return true;
}

const char *core_text_of(PyObject *name)
{
    if (!PyUnicode_Check(name)) {
        PyErr_SetString(PyExc_TypeError, "a mailslot's name is a str");
        return NULL;
    }
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(name, &size);
    if (text == NULL || strlen(text) == (size_t)size) return text;
    PyErr_SetString(PyExc_ValueError, "a mailslot's name has no null character");
    return NULL;
}

bool core_nanoseconds(PyObject *seconds, int64_t *nanoseconds)
{
    *nanoseconds = MSLOT_FOREVER;
    if (seconds == NULL || seconds == Py_None) return true;
    double value = PyFloat_AsDouble(seconds);
    if (value == -1.0 && PyErr_Occurred()) return false;
    if (isnan(value)) {
        PyErr_SetString(PyExc_ValueError, "a time in seconds is no NaN");
        return false;
    }
    value *= 1e9;
    if (value <= 0) *nanoseconds = 0;
    // Rounded up: what is not 0 waits.
    else if (value < 9e18) *nanoseconds = (int64_t)ceil(value);
    return true;
}

bool core_polling(PyObject *seconds, int64_t *nanoseconds)
{
    *nanoseconds = MSLOT_POLLING_ADAPTIVE;
    if (seconds == NULL || seconds == Py_None) return true;
    if (!core_nanoseconds(seconds, nanoseconds)) return false;
    if (*nanoseconds == 0) *nanoseconds = MSLOT_POLLING_NEVER;
    return true;
}

// MARK: errors

PyObject *core_fail(core_state *state, const mslot_failure *failure, PyObject *name)
{
    PyObject *encoded = name != NULL && name != Py_None ? PyUnicode_AsUTF8String(name) : NULL;
    PyErr_Clear(); // a name that cannot be encoded is not the failure
    char text[2048];
    mslot_failure_describe(failure, encoded != NULL ? PyBytes_AsString(encoded) : NULL, text, sizeof text);
    Py_XDECREF(encoded);
    PyObject *words = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
    if (words == NULL) return NULL;
    PyObject *error = PyObject_CallFunction(state->error_of, "iOOiiI", (int)failure->outcome, words, name != NULL ? name : Py_None,
        (int)failure->system_error, (int)failure->holder_pid, (unsigned)failure->holder_uid);
    Py_DECREF(words);
    if (error == NULL) return NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
    return NULL;
}

PyObject *core_fail_with(void *object, mslot_outcome outcome, PyObject *name)
{
    mslot_failure failure;
    memset(&failure, 0, sizeof failure);
    failure.outcome = outcome;
    if (outcome == MSLOT_SYSTEM_ERROR) failure.system_error = errno;
    return core_fail(core_state_of(object), &failure, name);
}

bool core_end_usable(core_end *end)
{
    if (end->is_open && !end->in_call && !end->in_wait) return true;
    core_fail_with(end, end->is_open ? MSLOT_BUSY : MSLOT_NOT_OPEN, end->name);
    return false;
}

bool core_end_free(core_end *end)
{
    if (!core_end_usable(end)) return false;
    if (end->loan == NULL) return true;
    core_fail_with(end, MSLOT_BUSY, end->name);
    return false;
}

PyObject *core_end_name(core_end *end, void *Py_UNUSED(closure)) { return Py_NewRef(end->name); }

PyObject *core_end_closed(core_end *end, void *Py_UNUSED(closure)) { return PyBool_FromLong(!end->is_open); }

PyObject *core_end_enter(core_end *end, PyObject *Py_UNUSED(ignored)) { return core_end_usable(end) ? Py_NewRef((PyObject *)end) : NULL; }

// MARK: waiting

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

core_slices core_slices_begin(int64_t timeout_ns)
{
    core_slices slices = {.deadline_ns = MSLOT_FOREVER};
    int64_t now = now_ns();
    if (timeout_ns < MSLOT_FOREVER - now) slices.deadline_ns = now + timeout_ns;
    return slices;
}

bool core_slices_next(core_slices *slices)
{
    if (slices->is_last) return false;
    if (slices->slice_ns != 0 && PyErr_CheckSignals() != 0) return false;
    int64_t left = slices->deadline_ns == MSLOT_FOREVER ? MSLOT_FOREVER : slices->deadline_ns - now_ns();
    slices->is_last = left <= SLICE_NS;
    slices->slice_ns = left <= 0 ? 1 : slices->is_last ? left : SLICE_NS;
    return true;
}

bool core_wait_prepare(core_end *end, PyObject *descriptor)
{
    if (end->in_wait) return true;
    long number = PyLong_AsLong(descriptor);
    if ((number == -1 && PyErr_Occurred()) || !core_end_free(end)) return false;
    memset(&end->wait, 0, sizeof end->wait);
    end->wait.ended = mslot_wait_signal_eventfd;
    end->wait.context = (void *)(intptr_t)number;
    end->wait.timeout_ns = MSLOT_FOREVER; // the loop has time-outs of its own
    end->wait.never_polls = true;         // and others to look after
    return true;
}

void core_wait_stop(core_end *end)
{
    // A wait of the parent is none of a child's, whose library has forgotten it.
    if (end->in_wait && end->process == getpid()) mslot_wait_stop(&end->wait);
}

// MARK: messages

PyObject *core_message_create(core_state *state, const void *bytes, size_t byte_count, uint64_t position, uint32_t sender, uint16_t origin)
{
    PyObject *values[] = {PyBytes_FromStringAndSize(bytes, (Py_ssize_t)byte_count), PyLong_FromUnsignedLongLong(position),
        PyLong_FromUnsignedLong(sender), PyLong_FromUnsignedLong(origin)};
    PyObject *message = PyStructSequence_New(state->message_type);
    bool is_whole = message != NULL;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) is_whole = is_whole && values[i] != NULL;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        if (is_whole) PyStructSequence_SetItem(message, (Py_ssize_t)i, values[i]); // steals it
        else Py_XDECREF(values[i]);
    }
    if (!is_whole) Py_CLEAR(message);
    return message;
}
