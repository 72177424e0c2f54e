// The extension module mailslots._core. What it has is declared, with its documentation, in mailslots/_core.pyi.

#include "core.h"

static PyStructSequence_Field message_fields[] = {{"data", "The bytes."},
    {"position", "Its number: consecutive, and the same if it comes again after a crash."},
    {"sender", "The process id that its writer says it has."}, {"origin", "Where it came from; 0: this machine."}, {NULL, NULL}};

static PyStructSequence_Desc message_description = {
    .name = "mailslots.Message", .doc = "A message, and where it comes from.", .fields = message_fields, .n_in_sequence = 4};

static PyTypeObject *add_type(PyObject *module, PyType_Spec *spec)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    if (type == NULL || PyModule_AddType(module, type) == 0) return type;
    Py_DECREF(type);
    return NULL;
}

static int execute(PyObject *module)
{
    core_state *state = (core_state *)PyModule_GetState(module);
    PyObject *errors = PyImport_ImportModule("mailslots._errors");
    if (errors == NULL) return -1;
    state->error_of = PyObject_GetAttrString(errors, "error_of");
    Py_DECREF(errors);
    if (state->error_of == NULL) return -1;
    state->message_type = PyStructSequence_NewType(&message_description);
    if (state->message_type == NULL || PyModule_AddType(module, state->message_type) != 0) return -1;
    if ((state->reader_type = add_type(module, &core_reader_spec)) == NULL) return -1;
    if ((state->writer_type = add_type(module, &core_writer_spec)) == NULL) return -1;
    if ((state->observer_type = add_type(module, &core_observer_spec)) == NULL) return -1;
    if ((state->loan_type = add_type(module, &core_loan_spec)) == NULL) return -1;
    if ((state->lent_type = add_type(module, &core_lent_spec)) == NULL) return -1;
    return PyModule_AddStringConstant(module, "version", mslot_version());
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    core_state *state = (core_state *)PyModule_GetState(module);
    if (state == NULL) return 0;
    Py_VISIT(state->reader_type);
    Py_VISIT(state->writer_type);
    Py_VISIT(state->observer_type);
    Py_VISIT(state->loan_type);
    Py_VISIT(state->lent_type);
    Py_VISIT(state->message_type);
    Py_VISIT(state->error_of);
    return 0;
}

static int clear(PyObject *module)
{
    core_state *state = (core_state *)PyModule_GetState(module);
    if (state == NULL) return 0;
    Py_CLEAR(state->reader_type);
    Py_CLEAR(state->writer_type);
    Py_CLEAR(state->observer_type);
    Py_CLEAR(state->loan_type);
    Py_CLEAR(state->lent_type);
    Py_CLEAR(state->message_type);
    Py_CLEAR(state->error_of);
    return 0;
}

static void free_module(void *module) { clear((PyObject *)module); }

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)execute}, {0, NULL}};

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_core", .m_size = sizeof(core_state), .m_methods = core_look_methods,
    .m_slots = slots, .m_traverse = traverse, .m_clear = clear, .m_free = free_module};

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&definition); }
