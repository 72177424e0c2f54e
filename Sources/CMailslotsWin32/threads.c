// Threads as objects: their handles, their ends, and the routines that run in their alertable waits.

#include "win.h"

#include <dirent.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { STACK_BYTES_LEAST = 65536, THREAD_NAME_BYTES = 16 };

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static DWORD last_id;

// MARK: the last thread
//
// On Windows a process ends with its last thread, and with its exit code. Here the library's own threads, which serve the program's and
// take no signals, would keep it for ever. They are known by their name, which a thread of the program's that ends takes on as well.

static bool first_thread_ended;

static void leave_the_program(void)
{
    if (gettid() == getpid()) first_thread_ended = true; // its name is the process'
    else pthread_setname_np(pthread_self(), MSLOT_THREAD_NAME);
}

static bool is_of_the_library(const char *thread_id)
{
    char path[64], name[THREAD_NAME_BYTES + 1] = "";
    snprintf(path, sizeof path, "/proc/self/task/%.20s/comm", thread_id);
    FILE *file = fopen(path, "re");
    if (file == NULL) return true; // it has ended meanwhile
    bool is_known = fgets(name, sizeof name, file) != NULL;
    fclose(file);
    return !is_known || strcmp(name, MSLOT_THREAD_NAME "\n") == 0;
}

/// Whether no thread of the program's is left, but for those that end. False where it cannot be told.
static bool was_last(void)
{
    DIR *threads = opendir("/proc/self/task");
    if (threads == NULL) return false;
    bool is_last = true;
    for (const struct dirent *thread; is_last && (thread = readdir(threads)) != NULL;) {
        if (thread->d_name[0] == '.') continue;
        bool is_first = atol(thread->d_name) == getpid();
        is_last = is_first ? first_thread_ended : is_of_the_library(thread->d_name);
    }
    closedir(threads);
    return is_last;
}

// MARK: this thread

/// The destructor of the thread's key: however it ended.
static void thread_ended(void *value)
{
    static bool process_ends;
    mslot_win_thread *thread = value;
    mslot__win_lock();
    // "All pending asynchronous I/O that the thread began is cancelled when it exits."
    mslot__win_thread_ended(thread);
    while (thread->mutexes != NULL) {
        mslot_win_object *first = (mslot_win_object *)thread->mutexes;
        first->kind->owner_ended(first);
    }
    while (thread->first_apc != NULL) {
        mslot_win_apc *apc = thread->first_apc;
        thread->first_apc = apc->next;
        free(apc);
    }
    thread->ended = true;
    mslot__win_signalled(&thread->object);
    DWORD exit_code = thread->exit_code;
    mslot__win_release(&thread->object);
    leave_the_program();
    bool ends_process = !process_ends && was_last();
    process_ends = process_ends || ends_process;
    mslot__win_unlock();
    if (ends_process) exit(exit_code != STILL_ACTIVE ? (int)exit_code : 0); // it was left by pthread_exit
}

static void make_key(void) { pthread_key_create(&key, thread_ended); }

static mslot_win_thread *thread_new(void)
{
    mslot_win_thread *thread = calloc(1, sizeof *thread);
    if (thread == NULL) return NULL;
    thread->object.kind = &mslot__win_thread_kind;
    thread->exit_code = STILL_ACTIVE;
    thread->id = last_id += 4; // as Windows counts
    mslot__win_condition_init(&thread->wake);
    return thread;
}

/// The thread itself keeps its object until it ends.
static void become(mslot_win_thread *thread)
{
    mslot__win_retain(&thread->object);
    pthread_setspecific(key, thread);
}

mslot_win_thread *mslot__win_this_thread(void)
{
    pthread_once(&key_once, make_key);
    mslot_win_thread *thread = pthread_getspecific(key);
    if (thread != NULL) return thread;
    thread = thread_new();
    if (thread == NULL) abort(); // a few hundred bytes, and no way to report that there are none
    thread->started = true;
    thread->thread = pthread_self();
    become(thread);
    return thread;
}

static bool is_signalled(mslot_win_object *object, mslot_win_thread *thread)
{
    (void)thread;
    return ((mslot_win_thread *)object)->ended;
}

static void destroy(mslot_win_object *object)
{
    mslot_win_thread *thread = (mslot_win_thread *)object;
    pthread_cond_destroy(&thread->wake);
    free(thread);
}

const mslot_win_kind mslot__win_thread_kind = {.is_signalled = is_signalled, .destroy = destroy};

mslot_win_thread *mslot__win_thread_of(HANDLE handle)
{
    if (handle != GetCurrentThread()) return (mslot_win_thread *)mslot__win_object_of(handle, &mslot__win_thread_kind);
    mslot_win_thread *self = mslot__win_this_thread();
    mslot__win_retain(&self->object);
    return self;
}

HANDLE WINAPI GetCurrentThread(void) { return (HANDLE)(LONG_PTR)-2; }

static DWORD id_of(HANDLE handle)
{
    mslot__win_lock();
    mslot_win_thread *thread = mslot__win_thread_of(handle);
    DWORD id = thread != NULL ? thread->id : 0;
    if (thread != NULL) mslot__win_release(&thread->object);
    mslot__win_unlock();
    return id;
}

DWORD WINAPI GetCurrentThreadId(void) { return id_of(GetCurrentThread()); }
DWORD WINAPI GetThreadId(HANDLE Thread) { return id_of(Thread); }

static void forget(void)
{
    pthread_once(&key_once, make_key);
    first_thread_ended = false;
    mslot_win_thread *thread = pthread_getspecific(key);
    if (thread == NULL) return;
    thread->mutexes = NULL;
    thread->first_apc = NULL;
}
static mslot_win_hooks hooks = {.forget = forget};
__attribute__((constructor)) static void hook(void) { mslot__win_hook(&hooks); }

// MARK: starting and ending

static bool start_detached(pthread_t *thread, size_t stack_bytes, void *(*run)(void *), void *argument, const char *name)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (stack_bytes >= STACK_BYTES_LEAST) pthread_attr_setstacksize(&attributes, (stack_bytes + 4095) & ~(size_t)4095);
    bool started = pthread_create(thread, &attributes, run, argument) == 0;
    pthread_attr_destroy(&attributes);
    if (!started) return false;
    // Before it is detached: until then its number cannot become another's.
    if (name != NULL) pthread_setname_np(*thread, name);
    pthread_detach(*thread);
    return true;
}

bool mslot__win_start_service(void *(*run)(void *), void *argument)
{
    sigset_t all, before;
    sigfillset(&all);
    // Not those that the thread itself causes: SIGBUS may have a guard.
    static const int own[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL};
    for (size_t i = 0; i < ARRAYSIZE(own); i++) sigdelset(&all, own[i]);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    bool started = start_detached(&thread, 0, run, argument, MSLOT_THREAD_NAME);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void *run(void *argument)
{
    mslot_win_thread *thread = argument;
    mslot__win_lock();
    pthread_once(&key_once, make_key);
    become(thread);
    mslot__win_release(&thread->object); // what CreateThread kept for us
    mslot__win_unlock();
    ExitThread(thread->start(thread->parameter));
}

/// Locked. `stack_bytes` is what CreateThread was given.
static bool start(mslot_win_thread *thread, size_t stack_bytes)
{
    mslot__win_retain(&thread->object);
    thread->started = start_detached(&thread->thread, stack_bytes, run, thread, NULL);
    if (!thread->started) mslot__win_release(&thread->object);
    return thread->started;
}

HANDLE WINAPI CreateThread(LPSECURITY_ATTRIBUTES lpThreadAttributes, SIZE_T dwStackSize, LPTHREAD_START_ROUTINE lpStartAddress,
    LPVOID lpParameter, DWORD dwCreationFlags, LPDWORD lpThreadId)
{
    if (lpStartAddress == NULL || (dwCreationFlags & ~(CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION)) != 0) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    mslot__win_lock();
    mslot_win_thread *thread = thread_new();
    HANDLE handle = INVALID_HANDLE_VALUE;
    if (thread != NULL) {
        thread->start = lpStartAddress;
        thread->parameter = lpParameter;
        mslot__win_retain(&thread->object);
        bool inherit = lpThreadAttributes != NULL && lpThreadAttributes->bInheritHandle;
        handle = mslot__win_handle_new(&thread->object, SYNCHRONIZE, inherit);
        // Before it runs: it may look at where its id was to be put.
        if (handle != INVALID_HANDLE_VALUE && lpThreadId != NULL) *lpThreadId = thread->id;
        bool suspended = (dwCreationFlags & CREATE_SUSPENDED) != 0;
        if (handle != INVALID_HANDLE_VALUE && !suspended && !start(thread, dwStackSize)) {
            mslot__win_handle_close(handle);
            handle = INVALID_HANDLE_VALUE;
        }
        mslot__win_release(&thread->object);
    }
    mslot__win_unlock();
    if (handle != INVALID_HANDLE_VALUE) return handle;
    SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return NULL;
}

DWORD WINAPI ResumeThread(HANDLE hThread)
{
    mslot__win_lock();
    mslot_win_thread *thread = mslot__win_thread_of(hThread);
    DWORD was_suspended = (DWORD)-1;
    if (thread != NULL) {
        was_suspended = thread->started ? 0 : 1;
        if (!thread->started && !start(thread, 0)) {
            was_suspended = (DWORD)-1;
            SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        }
        mslot__win_release(&thread->object);
    }
    mslot__win_unlock();
    return was_suspended;
}

void WINAPI ExitThread(DWORD dwExitCode)
{
    mslot__win_lock();
    mslot_win_thread *self = mslot__win_this_thread();
    self->exit_code = dwExitCode;
    // Now: their OVERLAPPEDs may lie on this stack, which pthread_exit unwinds.
    mslot__win_thread_ended(self);
    mslot__win_unlock();
    pthread_exit(NULL); // thread_ended does the rest
}

BOOL WINAPI GetExitCodeThread(HANDLE hThread, LPDWORD lpExitCode)
{
    mslot__win_lock();
    mslot_win_thread *thread = mslot__win_thread_of(hThread);
    if (thread != NULL) {
        if (lpExitCode != NULL) *lpExitCode = thread->ended ? thread->exit_code : STILL_ACTIVE;
        mslot__win_release(&thread->object);
    }
    mslot__win_unlock();
    return thread != NULL;
}

BOOL WINAPI SwitchToThread(void) { return sched_yield() == 0; }

// MARK: routines in alertable waits

void mslot__win_apc_queue(mslot_win_thread *thread, mslot_win_apc apc)
{
    mslot_win_apc *queued = malloc(sizeof *queued);
    if (queued == NULL) abort(); // a request would never be reported as done
    *queued = apc;
    queued->next = NULL;
    if (thread->first_apc == NULL) thread->first_apc = queued;
    else thread->last_apc->next = queued;
    thread->last_apc = queued;
    if (thread->alertable) pthread_cond_signal(&thread->wake);
}

bool mslot__win_apcs_run(mslot_win_thread *thread)
{
    bool any = false;
    while (thread->first_apc != NULL) {
        mslot_win_apc *first = thread->first_apc;
        thread->first_apc = first->next;
        mslot_win_apc apc = *first;
        free(first);
        any = true;
        mslot__win_unlock();
        if (apc.routine != NULL) apc.routine(apc.error, apc.count, apc.overlapped);
        else apc.function(apc.argument);
        mslot__win_lock();
    }
    return any;
}

DWORD WINAPI QueueUserAPC(PAPCFUNC pfnAPC, HANDLE hThread, ULONG_PTR dwData)
{
    mslot__win_lock();
    mslot_win_thread *thread = mslot__win_thread_of(hThread);
    bool queued = thread != NULL && !thread->ended && pfnAPC != NULL;
    if (queued) mslot__win_apc_queue(thread, (mslot_win_apc){.function = pfnAPC, .argument = dwData});
    else if (thread != NULL) SetLastError(pfnAPC == NULL ? ERROR_INVALID_PARAMETER : ERROR_GEN_FAILURE);
    if (thread != NULL) mslot__win_release(&thread->object);
    mslot__win_unlock();
    return queued;
}

// MARK: this process

HANDLE WINAPI GetCurrentProcess(void) { return (HANDLE)(LONG_PTR)-1; }
DWORD WINAPI GetCurrentProcessId(void) { return (DWORD)getpid(); }
void WINAPI ExitProcess(UINT uExitCode) { exit((int)uExitCode); }

// MARK: critical sections

void WINAPI InitializeCriticalSection(LPCRITICAL_SECTION lpCriticalSection)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lpCriticalSection->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

BOOL WINAPI InitializeCriticalSectionAndSpinCount(LPCRITICAL_SECTION lpCriticalSection, DWORD dwSpinCount)
{
    (void)dwSpinCount;
    InitializeCriticalSection(lpCriticalSection);
    return TRUE;
}

void WINAPI DeleteCriticalSection(LPCRITICAL_SECTION lpCriticalSection) { pthread_mutex_destroy(&lpCriticalSection->mutex); }
void WINAPI EnterCriticalSection(LPCRITICAL_SECTION lpCriticalSection) { pthread_mutex_lock(&lpCriticalSection->mutex); }
BOOL WINAPI TryEnterCriticalSection(LPCRITICAL_SECTION lpCriticalSection) { return pthread_mutex_trylock(&lpCriticalSection->mutex) == 0; }
void WINAPI LeaveCriticalSection(LPCRITICAL_SECTION lpCriticalSection) { pthread_mutex_unlock(&lpCriticalSection->mutex); }
