// What the files of the extension module share. It is compiled against Python's stable ABI of 3.11, so one build serves all later versions.
//
// The GIL is the rule for every field here: it is held wherever one is looked at or changed. A call that has to wait gives the GIL away
// meanwhile, and says so in `in_call`: another thread that comes then is refused, where the C core would only notice it by luck.
#ifndef MAILSLOTS_PYTHON_CORE_H
#define MAILSLOTS_PYTHON_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <mailslots.h>
#include <sys/types.h>

typedef struct core_state {
    PyTypeObject *reader_type;
    PyTypeObject *writer_type;
    PyTypeObject *observer_type;
    PyTypeObject *loan_type;
    PyTypeObject *lent_type;
    PyTypeObject *message_type;
    /// mailslots._errors.error_of: makes the exception of an outcome.
    PyObject *error_of;
} core_state;

typedef struct core_loan core_loan;

/// What both ends begin with.
typedef struct core_end {
    PyObject_HEAD
        /// A str.
        PyObject *name;
    /// The process that opened it.
    pid_t process;
    bool is_open;
    /// A thread waits in a call, without the GIL.
    bool in_call;
    /// A wait of an event loop's has begun, and `wait` is the C core's.
    bool in_wait;
    mslot_wait wait;
    /// What is lent or on loan, which holds us; NULL: nothing is.
    core_loan *loan;
} core_end;

typedef struct core_reader {
    core_end end;
    mslot_reader *handle;
    bool adopted;
    uint32_t unread_count;
} core_reader;

typedef struct core_writer {
    core_end end;
    mslot_writer *handle;
    /// Bytes of a loan.
    uint32_t loan_bytes_max;
} core_writer;

/// Memory of a mailslot that Python's buffers see: a slot on loan to fill, or a message that is lent.
struct core_loan {
    PyObject_HEAD
        /// Held, so that the mapping stays. NULL together with `bytes`: it is over.
        core_end *owner;
    unsigned char *bytes;
    size_t byte_count;
    /// Buffers that look at it. While there is one it cannot end.
    Py_ssize_t exports;
    uint64_t position;
    uint32_t sender;
    uint16_t origin;
};

extern PyType_Spec core_reader_spec, core_writer_spec, core_observer_spec, core_loan_spec, core_lent_spec;
extern PyMethodDef core_look_methods[];

static inline core_state *core_state_of(void *object) { return (core_state *)PyType_GetModuleState(Py_TYPE((PyObject *)object)); }

/// A new object of a type, zeroed; NULL with an exception.
static inline void *core_allocate(PyTypeObject *type) { return ((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0); }

/// What every tp_dealloc ends with.
static inline void core_free(void *object)
{
    PyTypeObject *type = Py_TYPE((PyObject *)object);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

/// A method that takes its arguments as an array.
#define CORE_FAST(function) (PyCFunction)(void (*)(void)) function

// MARK: arguments

/// Sorts arguments into `values` by `names`, which ends with NULL; the first `required` must be there, and the others are NULL if they are
/// not. False with an exception.
bool core_arguments(
    PyObject *const *given, Py_ssize_t given_count, PyObject *keywords, const char *const *names, size_t required, PyObject **values);

/// A mailslot's name as the C core takes it, for as long as the object lives. NULL with an exception.
const char *core_text_of(PyObject *name);

/// Seconds as nanoseconds; NULL or None: for ever. False with an exception.
bool core_nanoseconds(PyObject *seconds, int64_t *nanoseconds);

/// How long to poll: None: adaptive; 0: never; seconds. False with an exception.
bool core_polling(PyObject *seconds, int64_t *nanoseconds);

// MARK: errors

/// Sets the exception of a failure; returns NULL.
PyObject *core_fail(core_state *state, const mslot_failure *failure, PyObject *name);
/// As above, for an outcome of a call on an end.
PyObject *core_fail_with(void *object, mslot_outcome outcome, PyObject *name);

/// Whether a call may use the end now. False with an exception.
bool core_end_usable(core_end *end);
/// As above, also while something of it is lent.
bool core_end_free(core_end *end);

/// Attributes of both ends.
PyObject *core_end_name(core_end *end, void *closure);
PyObject *core_end_closed(core_end *end, void *closure);
/// `__enter__` of both.
PyObject *core_end_enter(core_end *end, PyObject *ignored);

// MARK: waiting

/// A signal ends no call of the C core, and Python handles signals between calls only. So a wait is made of slices, between which Python
/// may look. A message or room ends a slice at once: nothing is later for it.
typedef struct core_slices {
    int64_t deadline_ns;
    int64_t slice_ns;
    bool is_last;
} core_slices;

core_slices core_slices_begin(int64_t timeout_ns);
/// Whether to wait for a further slice of `slice_ns`. False: the time is up, or there is an exception.
bool core_slices_next(core_slices *slices);

/// Before an event loop's wait begins, or goes on, whose end its eventfd is told. False with an exception: the end is closed or in use.
bool core_wait_prepare(core_end *end, PyObject *descriptor);
/// Ends the wait that is on, if there is one: afterwards nobody writes to its eventfd.
void core_wait_stop(core_end *end);

// MARK: loans

/// What is on loan of an end; NULL with an exception. Not an end's second.
core_loan *core_loan_create(core_end *owner, PyTypeObject *type, void *bytes, size_t byte_count);
/// Ends the end's loan, if it has one. False with a BufferError: somebody looks at it.
bool core_loan_end(core_end *owner);

// MARK: results

/// Information as a dictionary.
PyObject *core_info(const mslot_info *info);

/// A named tuple of a message and where it comes from.
PyObject *core_message_create(core_state *state, const void *bytes, size_t byte_count, uint64_t position, uint32_t sender, uint16_t origin);

#endif
