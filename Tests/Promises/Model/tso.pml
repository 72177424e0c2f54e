/*
 * The two places where a thread stores and then loads, with store buffers (total store order, as on x86): what a thread stores
 * reaches memory later, in order, unless it waits for it.
 *
 *     park:  parked_position = h + 1, then look at the cell      publish:  swap the cell, then look at parked_position
 *     room:  empty the cell, then look at space_wanted           want:     space_wanted = 1, then look at the cell
 *
 * In each pair one of the two has to see the other. Names and steps as in include/mailslots/ring.h. Who owns which slot, laps and
 * recovery are ring.pml's. A cell is EMPTY or FULL for a position.
 *
 * The fence between the reader's store and load is the writer's business, if the reader could register for it: membarrier(2) waits
 * until each registered reader's buffer has been empty once. A reader may register or not, and may be killed at any step; what it has
 * stored reaches memory all the same. The next one takes over.
 *
 * Of futex(2) only what its manual promises is used: the comparison and falling asleep are one step, and a wake comes after the
 * caller's stores. That FUTEX_WAIT is a fence too, in today's Linux, is not.
 */
#ifndef CELLS
#define CELLS 1
#endif
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef MESSAGES
#define MESSAGES 1          /* of each writer */
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 0          /* times that the sleeping reader wakes for no reason */
#endif
#ifndef READER_KILLS
#define READER_KILLS 0
#endif
#ifndef REFUSALS
#define REFUSALS 0          /* 1: membarrier may be refused to a writer, who then sleeps a millisecond at most */
#endif

#ifndef MUTANT
#define MUTANT 0
#endif
#define PARK_WITHOUT_FENCE      1  /* mslot__ring_park: parked_position stored with release */
#define PUBLISH_WITHOUT_FENCE   2  /* Write 5 and 7: the swap's store may come after the load of parked_position (not on x86; on Arm) */
#define ROOM_WITHOUT_FENCE      3  /* mslot__ring_space_made, by a reader that is not registered */
#define WANT_WITHOUT_FENCE      4  /* mslot__ring_want_space */
#define NO_MEMBARRIER           5
#define MEMBARRIER_BEFORE_FLAG  6  /* before space_wanted = 1 */
#define WORD_BELIEVED           7  /* left set by a dead reader, it makes the next, which is not registered, do without its fence */
#define WORD_WITHOUT_FENCE      8  /* a reader that has just said that it is registered does without its fence at once */
#define REFUSED_SLEEPS_ON       9  /* a writer whose membarrier is refused sleeps as long as any */

/* The words of memory. */
#define CELL(position) ((position) % CELLS)
#define HEAD (CELLS)
#define PARKED_POSITION (CELLS + 1)
#define SPACE_WANTED (CELLS + 2)
#define SPACE_SEQUENCE (CELLS + 3)
#define TAIL_HINT (CELLS + 4)
#define REGISTERED (CELLS + 5)
#define WORDS (CELLS + 6)
#define empty_for(position) (2 * (position))
#define full_for(position) (2 * (position) + 1)

#define READER WRITERS
#define THREADS (WRITERS + 1)
#define TOTAL (WRITERS * MESSAGES)
#define BUFFERED 4

typedef own_stores { byte waiting[WORDS]; byte newest[WORDS] };

byte memory[WORDS];
chan buffers[THREADS] = [BUFFERED] of { byte, byte };
own_stores stores[THREADS];                     /* a thread sees its own stores at once */

inline store(word, value) {
    atomic {
        nfull(buffers[self]);
        stores[self].newest[word] = value; stores[self].waiting[word]++;
        buffers[self]!word, stores[self].newest[word]
    }
}
#define seen_by(thread, word) (stores[thread].waiting[word] -> stores[thread].newest[word] : memory[word])
#define load(into, word) into = seen_by(self, word)
#define fence() empty(buffers[self])

proctype Buffer(byte thread) {
    byte word, value;
end:
    do
    :: atomic {
            buffers[thread]?word, value ->
            memory[word] = value; stores[thread].waiting[word]--;
            if :: stores[thread].waiting[word] == 0 -> stores[thread].newest[word] = 0 :: else fi;
            word = 0; value = 0
        }
    od
}

bool reader_sleeps = false, writer_sleeps[WRITERS];
byte futex, timeouts = TIMEOUTS, reader_kills = READER_KILLS;

/* What the kernel knows: whether the reader's process is registered. */
bool is_registered = false;
#define membarrier() (!is_registered || empty(buffers[READER]))

proctype Writer(byte self) {
    byte position = CELLS, woken_position = 0, t, seen, value, parked, sequence, sent = 0;
    bool asked = false, refused = false;

write:
    if :: sent == MESSAGES -> goto done :: else fi;
    load(t, TAIL_HINT);
    atomic { t = (position > t -> position : t) };
look:
    load(seen, CELL(t));
    if
    :: atomic { seen == full_for(t) -> t++; goto look }
    :: seen == full_for(t - CELLS) ->
        load(value, HEAD);
        atomic {
            if
            :: t >= value + CELLS -> value = 0; goto no_room
            :: else -> t = (value > t -> value : t); value = 0; goto look
            fi
        }
    :: atomic { seen > full_for(t) -> t++; goto look }
    :: seen == empty_for(t)
    fi;
    /* Write 5 */
#if MUTANT == PUBLISH_WITHOUT_FENCE
    atomic {
        if
        :: seen_by(self, CELL(t)) == seen -> store(CELL(t), full_for(t))
        :: else -> goto look
        fi
    }
#else
    atomic {
        fence();
        if
        :: memory[CELL(t)] == seen -> memory[CELL(t)] = full_for(t)
        :: else -> goto look
        fi
    }
#endif
    /* Write 6 */
    atomic { position = t + 1; t = 0; seen = 0 };
    store(TAIL_HINT, position);
wake:
    /* Write 7, mslot__ring_parked_word */
    load(parked, PARKED_POSITION);
    if
    :: parked == 0 || parked == woken_position
    :: else ->
        atomic { if :: position >= parked -> woken_position = parked :: else fi };
        atomic {
            fence();
            if :: reader_sleeps && futex == CELL(parked - 1) -> reader_sleeps = false :: else fi
        }
    fi;
    atomic {
        parked = 0;
        if
        :: t == 0 -> sent++; goto write
        :: else
        fi;
        if
        :: asked -> goto sleep
        :: else
        fi
    }
    /* mslot__ring_want_space */
    load(sequence, SPACE_SEQUENCE);
#if MUTANT == MEMBARRIER_BEFORE_FLAG
    load(value, REGISTERED);
    if :: value != 0 -> membarrier() :: else fi;
    value = 0;
#endif
    store(SPACE_WANTED, 1);
#if MUTANT != WANT_WITHOUT_FENCE
    fence();
#endif
#if MUTANT != NO_MEMBARRIER && MUTANT != MEMBARRIER_BEFORE_FLAG
    load(value, REGISTERED);
    if
    :: value != 0 && membarrier()
#if REFUSALS
    :: value != 0 -> refused = true
#endif
    :: value == 0
    fi;
#endif
    atomic { value = 0; asked = true; goto look };

no_room:
    /* mslot__ring_give_up */
    atomic { position = t; seen = 0; goto wake };

sleep:
    atomic {
        asked = false;
        if
        :: seen_by(self, SPACE_SEQUENCE) == sequence -> writer_sleeps[self] = true
        :: else
        fi;
        sequence = 0
    }
#if MUTANT == REFUSED_SLEEPS_ON
    atomic { !writer_sleeps[self] -> refused = false; goto look };
#else
    atomic { (!writer_sleeps[self] || refused) -> writer_sleeps[self] = false; refused = false; goto look };
#endif

done:
    skip
}

inline wake_writers() {
    atomic {
        fence();
        value = 0;
        do
        :: value < WRITERS -> writer_sleeps[value] = false; value++
        :: else -> break
        od;
        value = 0
    }
}

/* Killed: what it has stored reaches memory, and the next reader takes over. */
#define READER_MAY_DIE if :: reader_kills > 0 -> reader_kills--; goto dead :: true fi

proctype Reader(byte self) {
    byte h = CELLS, seen, value;
    bool fences;            /* mslot_ring_reader: it is not registered */
    goto begin;

dead:
    atomic { fence(); reader_sleeps = false; is_registered = false; seen = 0; value = 0; h = memory[HEAD] };
    /* mslot__ring_take_over */
#if MUTANT != WORD_BELIEVED
    store(REGISTERED, 0);
#endif
    do
    :: atomic { seen_by(self, CELL(h)) > full_for(h) -> h++ };
        store(HEAD, h)
    :: else -> break
    od;
    store(PARKED_POSITION, 0);
    load(value, SPACE_SEQUENCE);
    store(SPACE_SEQUENCE, value + 1);
    wake_writers();

begin:
    fences = true;
    if
    :: is_registered = true;
        store(REGISTERED, 1);
#if MUTANT != WORD_WITHOUT_FENCE
        fence();
#endif
        fences = false
    :: true
#if MUTANT == WORD_BELIEVED
        -> fences = (seen_by(self, REGISTERED) == 0)
#endif
    fi;

read:
    atomic {
        if :: h == CELLS + TOTAL -> goto done :: else fi;
        READER_MAY_DIE
    }
    load(seen, CELL(h));
    if
    :: seen == full_for(h)
    :: seen == empty_for(h) -> goto park
    fi;
    seen = 0;
    /* Read 4 and 5 */
    store(CELL(h), empty_for(h + CELLS));
    READER_MAY_DIE;
    store(HEAD, h + 1);
    atomic { h++; READER_MAY_DIE };
    /* Read 6: after no fence but the compiler's, if whoever waits has membarrier. */
#if MUTANT != ROOM_WITHOUT_FENCE
    (!fences || empty(buffers[self]));
#endif
    load(value, SPACE_WANTED);
    if
    :: value == 0 -> goto read
    :: else -> value = 0
    fi;
    store(SPACE_WANTED, 0);
    READER_MAY_DIE;
    load(value, SPACE_SEQUENCE);
    store(SPACE_SEQUENCE, value + 1);
    READER_MAY_DIE;
    wake_writers();
    goto read;

park:
    store(PARKED_POSITION, h + 1);
    READER_MAY_DIE;
#if MUTANT != PARK_WITHOUT_FENCE
    fence();
#endif
    load(seen, CELL(h));
    atomic {
        if
        :: seen == empty_for(h) && seen_by(self, CELL(h)) == seen -> reader_sleeps = true; futex = CELL(h)
        :: else
        fi;
        seen = 0
    }
    if
    :: atomic { !reader_sleeps }
    :: atomic { reader_sleeps && timeouts > 0 -> timeouts--; reader_sleeps = false }
    :: atomic { reader_sleeps && reader_kills > 0 -> reader_kills--; goto dead }
    fi;
    /* mslot__ring_unpark */
    store(PARKED_POSITION, 0);
    goto read;

done:
    skip
}

init {
    byte i;
    atomic {
        i = 0;
        do :: i < CELLS -> memory[i] = empty_for(CELLS + i); i++ :: else -> break od;
        memory[HEAD] = CELLS; memory[TAIL_HINT] = CELLS;
        i = 0;
        do :: i < THREADS -> run Buffer(i); i++ :: else -> break od;
        i = 0;
        do :: i < WRITERS -> run Writer(i); i++ :: else -> break od;
        run Reader(READER)
    }
}
