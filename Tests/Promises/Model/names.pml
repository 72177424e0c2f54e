/*
 * Who has the name: creators that race to create, adopt and take over one mailslot, are killed at any step, and leave or close it; one
 * who removes it; writers who open it. As Linux/create.c and Linux/open.c do it, with their names.
 *
 * A file is an inode with the reader's lock on it; the kernel frees a dead process's locks. The name points to one inode or none.
 * Of the ring there is only whether it is sealed. Every statement outside `atomic` is one system call or one look at the ring.
 */
#ifndef CREATORS
#define CREATORS 2
#endif
#ifndef ROUNDS
#define ROUNDS 1            /* times that each creator creates */
#endif
#ifndef REMOVERS
#define REMOVERS 1
#endif
#ifndef WRITERS
#define WRITERS 1           /* each opens once, and writes until it is told that the mailslot is closed */
#endif
#ifndef KILLS
#define KILLS 1
#endif

#ifndef MUTANT
#define MUTANT 0
#endif
#define NO_CHECK_UNDER_LOCK         1   /* lock, and believe that the name still is this inode */
#define LOCK_AFTER_LINK             2
#define INITIALISE_AFTER_LINK       3
#define INITIALISE_IN_PLACE         4   /* a fresh take-over uses the dead reader's inode again */
#define TAKE_OVER_WITHOUT_SEAL      5
#define SEAL_AFTER_UNLINK           6
#define LINK_REPLACES               7   /* rename(2) instead of linkat(2) */
#define UNLOCK_BEFORE_UNLINK        8   /* close: the mapping goes first */
#define REMOVE_WITHOUT_LOCK         9
#define ADOPT_SEALED                10
#define LOCK_ENDS_WITH_DESCRIPTOR   11  /* as a POSIX lock does: create closes the descriptor when it is done */
#define CLOSE_WITHOUT_SEAL          12
#define UNLINK_BEFORE_CHECK         13  /* take the name away, then lock */
#define LEAVE_UNLINKS               14  /* and does not seal */
#define LEAVE_UNLOCKS_FIRST         15  /* while it may still read */

#define PROCESSES (CREATORS + REMOVERS + WRITERS)
#define INODES (CREATORS * ROUNDS + CREATORS + 1)
#define NONE 0              /* inodes count from 1 */
#define NOBODY 255

byte name = NONE;
byte lock_owner[INODES + 1];
bool used[INODES + 1], initialised[INODES + 1], sealed[INODES + 1];
byte generation[INODES + 1];        /* counts initialisations */
byte reader_of[INODES + 1];         /* who may say that it is the reader: mslot_create has returned, its last call not begun */
byte kills = KILLS;

/* A reader has the name, and it is the only one. */
inline check_readers() {
    d_step {
        byte each = 1;
        do
        :: each <= INODES -> assert(reader_of[each] == NOBODY || name == each); each++
        :: else -> break
        od;
        each = 0
    }
}

inline unlock(inode) { if :: lock_owner[inode] == self -> lock_owner[inode] = NOBODY :: else fi }

inline release_everything() {
    d_step {
        byte held = 1;
        do
        :: held <= INODES ->
            if :: lock_owner[held] == self -> lock_owner[held] = NOBODY :: else fi;
            if :: reader_of[held] == self -> reader_of[held] = NOBODY :: else fi;
            held++
        :: else -> break
        od;
        held = 0
    }
}

#define MAY_DIE if :: kills > 0 -> kills--; release_everything(); goto gone :: true fi

inline unlink_name() { atomic { MAY_DIE; name = NONE; check_readers() } }

proctype Creator(byte self) {
    byte old, new, round = 0;
    bool adopt;

again:
    /* attempt_once: mslot__file_open */
    atomic { MAY_DIE; old = name };
    if
    :: old == NONE -> goto make_new
    :: else -> assert(initialised[old])
    fi;
#if MUTANT == UNLINK_BEFORE_CHECK
    if :: lock_owner[old] == NOBODY -> unlink_name() :: else fi;
#endif
    /* mslot__lock_try */
    atomic {
        MAY_DIE;
        if
        :: lock_owner[old] == NOBODY -> lock_owner[old] = self
        :: lock_owner[old] != NOBODY -> old = NONE; goto let_go         /* ALREADY_EXISTS */
        :: lock_owner[old] != NOBODY -> old = NONE; goto again          /* for 50 ms */
        fi
    }
#if MUTANT == UNLINK_BEFORE_CHECK
    if :: name != NONE -> unlock(old); goto again :: else fi;
#elif MUTANT != NO_CHECK_UNDER_LOCK
    /* mslot__file_has_name */
    atomic { MAY_DIE; if :: name != old -> unlock(old); old = NONE; goto again :: else fi };
#endif

    /* take_over */
    if :: adopt = true :: adopt = false fi;
    atomic {
        MAY_DIE;
        if
#if MUTANT == ADOPT_SEALED
        :: adopt ->
#else
        :: adopt && !sealed[old] ->
#endif
            new = old; old = NONE; goto created
        :: else
        fi
    }
#if MUTANT == INITIALISE_IN_PLACE
    atomic { MAY_DIE; generation[old]++; sealed[old] = false; new = old; old = NONE; goto created };
#endif
#if MUTANT == SEAL_AFTER_UNLINK
    unlink_name();
    atomic { MAY_DIE; sealed[old] = true };
#elif MUTANT == TAKE_OVER_WITHOUT_SEAL
    unlink_name();
#else
    atomic { MAY_DIE; sealed[old] = true };
    unlink_name();
#endif

make_new:
    atomic {
        MAY_DIE;
        new = 1;
        do
        :: used[new] -> new++
        :: else -> break
        od;
        used[new] = true;
#if MUTANT != LOCK_AFTER_LINK
        lock_owner[new] = self;
#endif
#if MUTANT != INITIALISE_AFTER_LINK
        initialised[new] = true; generation[new]++
#endif
    }
    /* give_name */
    atomic {
        MAY_DIE;
        if
#if MUTANT != LINK_REPLACES
        :: name != NONE ->                                              /* EEXIST */
            used[new] = false; initialised[new] = false; unlock(new); new = NONE;
            if :: old != NONE -> unlock(old); old = NONE :: else fi;
            goto again
#endif
        :: else ->
            name = new; check_readers()
        fi
    }
#if MUTANT == LOCK_AFTER_LINK
    atomic { MAY_DIE; if :: lock_owner[new] == NOBODY -> lock_owner[new] = self :: else -> new = NONE; goto let_go fi };
#endif
#if MUTANT == INITIALISE_AFTER_LINK
    atomic { MAY_DIE; initialised[new] = true; generation[new]++ };
#endif

created:
    atomic {
        MAY_DIE;
        if :: old != NONE -> unlock(old); old = NONE :: else fi;
        assert(reader_of[new] == NOBODY);
        reader_of[new] = self;
        assert(!sealed[new]);                                           /* it can be written to */
        check_readers();
#if MUTANT == LOCK_ENDS_WITH_DESCRIPTOR
        unlock(new)
#endif
    }

    if
    :: true
    :: true ->
        /* mslot_reader_leave */
#if MUTANT == LEAVE_UNLOCKS_FIRST
        unlock(new);
#endif
        atomic { MAY_DIE; reader_of[new] = NOBODY };
#if MUTANT == LEAVE_UNLINKS
        if :: name == new -> unlink_name() :: else fi;
#endif
        goto let_go
    fi;

    /* mslot_reader_close */
    atomic { MAY_DIE; reader_of[new] = NOBODY };
#if MUTANT != CLOSE_WITHOUT_SEAL
    atomic { MAY_DIE; sealed[new] = true };
#endif
#if MUTANT == UNLOCK_BEFORE_UNLINK
    if :: name == new -> unlock(new); unlink_name() :: else fi;
#else
    if :: name == new -> unlink_name() :: else fi;
#endif
let_go:
    atomic {
        if :: new != NONE -> unlock(new); new = NONE :: else fi;
        round++;
        if :: round < ROUNDS -> goto again :: else fi
    }
gone:
    atomic { old = 0; new = 0; round = 0; adopt = false }
}

/* remove_file */
proctype Remover(byte self) {
    byte old;

    atomic { old = name; if :: old == NONE -> goto gone :: else -> assert(initialised[old]) fi };
#if MUTANT != REMOVE_WITHOUT_LOCK
    atomic { MAY_DIE; if :: lock_owner[old] == NOBODY -> lock_owner[old] = self :: else -> goto gone fi };
#if MUTANT != NO_CHECK_UNDER_LOCK
    atomic { MAY_DIE; if :: name != old -> unlock(old); goto gone :: else fi };
#endif
#endif
    atomic { MAY_DIE; sealed[old] = true };
    unlink_name();
    unlock(old);
gone:
    old = 0
}

/* open_file, and mslot_writer_write */
proctype Writer(byte self) {
    byte inode, opened;

    atomic { inode = name; if :: inode == NONE -> goto gone :: else -> assert(initialised[inode]) fi };
    /* Is the reader there? Then it takes a lane, and looks for the seal. */
    if :: atomic { lock_owner[inode] == NOBODY -> goto gone } :: else fi;
    atomic { if :: sealed[inode] -> goto gone :: else -> opened = generation[inode] fi };
    do
    :: atomic { sealed[inode] -> break }
    :: atomic {
            !sealed[inode] ->
            assert(name == inode);                          /* what is written here can be read, or discarded by who closes */
            assert(generation[inode] == opened)             /* and the slot, the lane, the position are still this writer's */
        }
    :: break
    od;
gone:
    atomic { inode = 0; opened = 0 }
}

init {
    byte i;
    atomic {
        i = 1;
        do :: i <= INODES -> lock_owner[i] = NOBODY; reader_of[i] = NOBODY; i++ :: else -> break od;
        i = 0;
        do :: i < CREATORS -> run Creator(i); i++ :: else -> break od;
        do :: i < CREATORS + REMOVERS -> run Remover(i); i++ :: else -> break od;
        do :: i < PROCESSES -> run Writer(i); i++ :: else -> break od
    }
}
