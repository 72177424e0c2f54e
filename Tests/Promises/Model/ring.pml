/*
 * The ring of Sources/CMailslots, for the model checker Spin: writers that are killed or stopped at any step, the kernel that
 * wakes for the dead, a reader that is killed, adopted, interrupted, that lends, reads in batches, leaves and closes.
 *
 * Read it beside include/mailslots/ring.h and Ring/: names and steps ("Write 5", "Read 4") are the same. README.md says what
 * is not in it; `run` runs it.
 *
 * The owner of lane 0 publishes each message in its slot or in the line of the cell, as it likes. A line holds its message in one
 * piece here; what an owner that is stopped leaves half written, and who sees it, is express.pml's.
 *
 * Every statement outside `atomic` is one step between which any other process may run. What is `atomic` touches shared memory
 * once at most, but for words that only a dead owner's heir reads (a lane's, `consumed`).
 */

/* How much of everything. */
#ifndef CELLS
#define CELLS 2
#endif
#ifndef LANES
#define LANES 2
#endif
#ifndef MESSAGES
#define MESSAGES 1          /* of each writer; written one after another, as mslot_writer_write_batch does */
#endif
#ifndef OPENERS
#define OPENERS 0           /* writers that come later, on the lanes of the dead; each writes one message */
#endif
#ifndef EXPRESS
#define EXPRESS 1           /* 0: the owner of lane 0 publishes by slots only */
#endif
#ifndef KILLS
#define KILLS 0             /* of writers */
#endif
#ifndef STOPS
#define STOPS 0             /* of writers, for ever */
#endif
#ifndef RESETS
#define RESETS 0            /* writes left by longjmp or cancellation, followed by mslot_writer_reset */
#endif
#ifndef READER_KILLS
#define READER_KILLS 0
#endif
#ifndef LEAVES
#define LEAVES 0            /* times that a reader leaves its ring, unsealed, to the next */
#endif
#ifndef NO_SUCCESSOR
#define NO_SUCCESSOR 0      /* 1: nobody adopts the ring of a reader that is dead, or left */
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 0          /* time-outs, interrupts and wakes for no reason, of the reader and of writers that wait for room */
#endif
#ifndef LENT
#define LENT 1              /* messages that the reader holds at a time */
#endif
#ifndef READ_BATCH
#define READ_BATCH 0        /* 1: mslot_reader_read_batch too */
#endif
#ifndef CLOSE
#define CLOSE 0             /* 1: the reader may close at any time, and a dead reader's ring may be taken over fresh */
#endif

/* Mutants: what must not be "optimised". -DMUTANT=NAME turns one on; `run --mutants` shows that each is caught. */
#ifndef MUTANT
#define MUTANT 0
#endif
#define COUNT_BEFORE_FLAG        1  /* Read 6: space_sequence + 1, then space_wanted = 0 */
#define WANTED_AFTER_LOOK        2  /* a writer asks for room after it has looked once more */
#define HEAD_BEFORE_CELL         3  /* Read 5 before Read 4 */
#define TAKE_OVER_WAKES_NOBODY   4
#define SEQUENCE_AFTER_LOOK      5  /* a writer reads space_sequence after it has looked once more */
#define CLOSED_IS_A_FLAG         6  /* tested before the swap, instead of the seal */
#define NO_DEATH_NOTE            7  /* no Write 4 */
#define CELL_BEFORE_CONSUMED     8  /* Read 4 before Read 3 */
#define CLOSE_WAKES_NOBODY       9
#define NO_STEP_ON_NEWER_LAP    10  /* Write 2: max(hint, head), and no t + 1 */
#define ROOM_WAKES_ONE          11
#define ROOM_FOR_NOBODY         12  /* no Read 6 */
#define SEALED_WAKES_NOBODY     13  /* who finds a sealed ring of a dead reader */
#define FULL_WAKES_NOBODY       14  /* a writer that meets a full ring does not do Write 7 */
#define WOKEN_TOO_SOON          15  /* woken_position remembered although that position is not yet published */
#define LAST_OF_BATCH_WAKES     16  /* instead of the first */
#define WRITER_CLEARS_PARKED    17
#define WAKES_OWN_CELL          18  /* Write 7: the cell just published, not the one that the reader sleeps on */
#define NO_CONSUMED             19  /* recovery does without */
#define ROOM_AFTER_USER_CODE    20  /* Read 6 may be put off until more is read */
#define INTENT_GONE_BEFORE_OWN  21  /* Write 6 the other way round */
#define NO_CATCH_UP             23  /* by who takes over */
#define RESET_WAKES_NOBODY      22
#define SEAL_WITHOUT_CATCH_UP   24
#define SEAL_WITHOUT_CONSUMED   25  /* the seal of a full ring */
#define NOTE_GONE_BEFORE_WAKE   26  /* Write 8 before Write 7 */
#define NOTE_AFTER_SWAP         27  /* Write 4 after Write 5 */
#define WAKEUP                28  /* the reader sleeps on a word of its own that writers change after the swap */
#define OWN_BEFORE_SWAP         29  /* Write 6's own = s before the swap has won */
#define LEAVE_SEALS             30
#define LEAVE_TAKES_LENT        31  /* what is lent counts as read */
#define SECOND_EXPRESS_WRITER   32  /* every writer writes into lines, not only the owner of lane 0 */
#define HERE_EXCHANGES_SLOT     33  /* a swap that leaves the message in the line takes the spare out as well */
#define SPARE_NOT_LEFT          34  /* such a swap puts the own slot in the spare's place, and nobody has the spare */
#define FILL_AFTER_SWAP         35
#define LINE_FILLED_ONCE        36  /* who lost the swap does not fill the line of the next cell */
#define HERE_READ_FROM_SLOT     37

/* ---- cells ---- */

#define EMPTY 1
#define FULL 2
#define CLOSED 3
/* `here`: the message is in the cell's line, and `index` the spare. What EMPTY and CLOSED say of it is for observers: express.pml. */
#define make_full(lap, index, here) ((here) << 12 | FULL << 10 | (lap) << 4 | (index))
#define make_cell(kind, lap, index) ((kind) << 10 | (lap) << 4 | (index))
#define kind_of(cell) ((cell) >> 10 & 3)
#define is_here(cell) ((cell) >> 12)
#define lap_of(cell) ((cell) >> 4 & 63)
#define index_of(cell) ((cell) & 15)
#define is_empty_of(cell, lap) ((cell) >> 4 == (EMPTY << 6 | (lap)))
#define is_full_of(cell, lap) (((cell) >> 4 & 255) == (FULL << 6 | (lap)))
#define is_full(cell) (kind_of(cell) == FULL)
#define is_closed(cell) (kind_of(cell) == CLOSED)
#define CELL(position) ((position) % CELLS)
#define LAP(position) ((position) / CELLS)
#define SLOTS (CELLS + LANES)
#define NONE 255

/* ---- the segment ---- */

short cells[CELLS];
byte consumed[SLOTS];
byte slots[SLOTS];                      /* the message in it: 8 * writer + number */
byte lines[CELLS];                      /* the message in the line of the cell, whole or not: only the owner of lane 0 writes it */
byte lane_own[LANES], lane_intent_position[LANES], lane_intent_spare[LANES];
byte tail_hint = CELLS, head = CELLS, parked_position = 0;
bool space_wanted = false;
byte space_sequence = 0;

/* ---- the kernel ---- */

byte sleep_position = NONE;             /* the position on whose cell the reader sleeps; NONE: it is awake */
bool writer_sleeps[LANES];              /* on space_sequence */
bool lane_is_free[LANES];
byte live = 0, kills = KILLS, stops = STOPS, resets = RESETS, openers = OPENERS, reader_kills = READER_KILLS, timeouts = TIMEOUTS;

/* ---- what is checked ---- */

byte published = 0, delivered = CELLS - 1;      /* messages; the last position delivered */
byte delivered_message[CELLS], last_number[LANES + OPENERS];
#if LEAVES
byte leaves = LEAVES, given_back = CELLS - 1;   /* the last position that a reader's user has released, or is releasing */
#endif
bool sealed = false, excused = false;
#if MUTANT == CLOSED_IS_A_FLAG
bool closed_flag = false;
#endif
#if MUTANT == WAKEUP
byte wakeup = 0, wakeup_seen = 0;
#define sleeps_on(position) false
#else
#define sleeps_on(position) (sleep_position != NONE && CELL(sleep_position) == CELL(position))
#endif

inline futex_wake_reader(position) {
    if
    :: sleeps_on(position) -> sleep_position = NONE; excused = false
    :: else
    fi
}

inline futex_wake_writers() {
    d_step {
        byte sleeper = 0;
        do
        :: sleeper < LANES && writer_sleeps[sleeper] ->
            writer_sleeps[sleeper] = false; sleeper++;
#if MUTANT == ROOM_WAKES_ONE
            break
#endif
        :: sleeper < LANES && !writer_sleeps[sleeper] -> sleeper++
        :: else -> break
        od;
        sleeper = 0
    }
}

/* ---- a writer ---- */

/* Killed: the kernel looks at the robust-list entry; the lane's lock is free. Or stopped, for ever: the lock stays, nothing is woken.
   A stop between publishing and waking is the one late wake that the design allows. Or the call is left, and the handle reset. */
#define MAY_DIE \
    if \
    :: kills > 0 -> \
        kills--; \
        if :: pending != NONE && is_full(cells[CELL(pending)]) -> futex_wake_reader(pending) :: else fi; \
        lane_is_free[lane] = true; \
        goto gone \
    :: stops > 0 -> stops--; excused = excused || unwoken; goto gone \
    :: resets > 0 -> resets--; goto left \
    :: true \
    fi

/* The slot that a dead owner's lane is left with: mslot__ring_recover_lane, recovered_slot. */
inline recovered_slot(from_cell) {
    if
    :: lane_intent_position[lane] == NONE || own == lane_intent_spare[lane]
    :: else ->
        if
        :: is_full(from_cell) && index_of(from_cell) == own -> own = lane_intent_spare[lane]
#if MUTANT != NO_CONSUMED
        :: !(is_full(from_cell) && index_of(from_cell) == own) && consumed[own] >= lane_intent_position[lane] -> own = lane_intent_spare[lane]
#endif
        :: else
        fi
    fi
}

/* mslot__ring_parked_word: `wake` is the position whose cell must be woken, or NONE. */
inline parked_word() {
    wake = NONE;
    if
    :: parked_position == 0 || parked_position == woken_position
    :: else ->
        wake = parked_position - 1;
        if
#if MUTANT != WOKEN_TOO_SOON
        :: position < parked_position
#endif
        :: else -> woken_position = parked_position
        fi;
#if MUTANT == WAKES_OWN_CELL
        wake = position - 1;
#endif
#if MUTANT == WRITER_CLEARS_PARKED
        parked_position = 0
#endif
    fi
}

proctype Writer(byte lane; byte who; byte messages) {
    byte own, position, woken_position = 0;         /* mslot_ring_writer */
    byte pending = NONE;                            /* the robust-list entry: a position, whose cell's word it names */
    byte t, spare, newest, wake = NONE, sequence, sent = 0;
    short seen;
    bool asked = false, unwoken = false, reset = false, express = false;

recover:
    /* mslot__ring_recover_lane */
    atomic {
        own = lane_own[lane];
        if :: lane_intent_position[lane] != NONE -> seen = cells[CELL(lane_intent_position[lane])] :: else fi
    }
    atomic {
        recovered_slot(seen);
        lane_own[lane] = own;
        MAY_DIE;
        lane_intent_position[lane] = NONE;
        position = head; woken_position = 0; seen = 0;
        if
        :: reset -> reset = false
        :: else -> goto write
        fi
    }
    /* mslot_writer_reset: what was published may not have been announced */
#if MUTANT != RESET_WAKES_NOBODY
    atomic { MAY_DIE; parked_word() };
    atomic {
        MAY_DIE;
        if :: wake != NONE -> futex_wake_reader(wake); wake = NONE :: else fi
    };
#endif
    atomic { pending = NONE; sent = (sent < messages -> sent + 1 : sent) };

write:
    atomic {
        if :: sent == messages -> goto leave :: else fi;
        if
#if MUTANT == SECOND_EXPRESS_WRITER
        :: EXPRESS -> express = true
#else
        :: EXPRESS && lane == 0 -> express = true
#endif
        :: express = false;
            /* Write 1 */
            slots[own] = 8 * who + sent + 1;
            MAY_DIE
        fi;
        /* Write 2 */
        t = (position > tail_hint -> position : tail_hint)
    }

look:
    seen = cells[CELL(t)];
    if
    :: atomic { is_closed(seen) -> goto closed }
    :: atomic { is_full_of(seen, LAP(t)) -> t++; seen = 0; goto look }
    :: atomic { is_full_of(seen, LAP(t) - 1) -> newest = head };
        atomic {
            if
            :: t >= newest + CELLS -> goto no_room
            :: else -> t = (newest > t -> newest : t); seen = 0; newest = 0; goto look
            fi
        }
    :: atomic { lap_of(seen) > LAP(t) -> newest = head };
        atomic {
            newest = (tail_hint > newest -> tail_hint : newest);
            if
            :: newest > t -> t = newest
#if MUTANT != NO_STEP_ON_NEWER_LAP
            :: else -> t++
#else
            :: else
#endif
            fi;
            seen = 0; newest = 0; goto look
        }
    :: atomic { is_empty_of(seen, LAP(t)) && !express -> spare = index_of(seen) }
    :: atomic { is_empty_of(seen, LAP(t)) && express ->
            spare = index_of(seen);
            MAY_DIE;
#if MUTANT == LINE_FILLED_ONCE
            if :: newest == 0 -> lines[CELL(t)] = 8 * who + sent + 1; newest = 1 :: else fi
#elif MUTANT != FILL_AFTER_SWAP
            lines[CELL(t)] = 8 * who + sent + 1
#endif
        }
    fi;             /* nothing else can be there: a block here is an error */

#if MUTANT == CLOSED_IS_A_FLAG
    if :: atomic { closed_flag -> goto closed } :: else fi;
#endif
    atomic {
        MAY_DIE;
        /* Write 3: the line needs none, the own slot stays where it is */
        if
        :: !express -> lane_intent_spare[lane] = spare; MAY_DIE; lane_intent_position[lane] = t; MAY_DIE
        :: else
        fi;
#if MUTANT != NO_DEATH_NOTE && MUTANT != NOTE_AFTER_SWAP
        /* Write 4 */
        pending = t; MAY_DIE;
#endif
#if MUTANT == OWN_BEFORE_SWAP
        lane_own[lane] = spare; MAY_DIE;
#endif
        /* Write 5 */
        if
        :: cells[CELL(t)] == seen ->
            assert(!sealed);                        /* every write that succeeds comes before the seal */
#if MUTANT == HERE_EXCHANGES_SLOT || MUTANT == SPARE_NOT_LEFT
            cells[CELL(t)] = make_full(LAP(t), own, express);
#else
            cells[CELL(t)] = make_full(LAP(t), (express -> spare : own), express);
#endif
            published++; unwoken = true; seen = 0
        :: else ->
#if MUTANT == OWN_BEFORE_SWAP
            lane_own[lane] = own;
#endif
            seen = 0; spare = 0; goto look
        fi
    }
#if MUTANT == FILL_AFTER_SWAP
    if :: atomic { express -> MAY_DIE; lines[CELL(t)] = 8 * who + sent + 1 } :: !express fi;
#endif
    atomic {
        MAY_DIE;
        /* Write 6 */
        if
#if MUTANT != HERE_EXCHANGES_SLOT
        :: express
#endif
        :: else ->
#if MUTANT == INTENT_GONE_BEFORE_OWN
            lane_intent_position[lane] = NONE; MAY_DIE; own = spare; lane_own[lane] = spare; MAY_DIE
#else
            own = spare; lane_own[lane] = spare; MAY_DIE; lane_intent_position[lane] = NONE; MAY_DIE
#endif
        fi;
#if MUTANT == NOTE_AFTER_SWAP
        pending = t;
#endif
        position = t + 1; t = 0; spare = 0; newest = 0; express = false;
        tail_hint = position
    }
#if MUTANT == WAKEUP
    atomic { MAY_DIE; wakeup++ };
#endif
    atomic {
        MAY_DIE;
        /* Write 7 */
#if MUTANT == NOTE_GONE_BEFORE_WAKE
        pending = NONE;
#endif
#if MUTANT == LAST_OF_BATCH_WAKES
        if :: sent + 1 == messages -> parked_word() :: else fi
#else
        parked_word()
#endif
    }
    atomic {
        MAY_DIE;
        if
        :: wake != NONE ->
#if MUTANT == WAKEUP
            sleep_position = NONE;
#else
            futex_wake_reader(wake);
#endif
            wake = NONE; MAY_DIE
        :: else
        fi;
        unwoken = false;
#if MUTANT != LAST_OF_BATCH_WAKES && MUTANT != WAKEUP
        /* No reader sleeps for what this writer knows to be published. */
        assert(sleep_position == NONE || sleep_position >= position);
#endif
        /* Write 8 */
        pending = NONE;
        sent++; goto write
    }

no_room:
    atomic {
        /* mslot__ring_give_up */
        MAY_DIE;
        lane_intent_position[lane] = NONE; pending = NONE; position = t; newest = 0;
#if MUTANT != FULL_WAKES_NOBODY
        parked_word()
#endif
    }
    atomic {
        if :: wake != NONE -> MAY_DIE; futex_wake_reader(wake); wake = NONE :: else fi;
#if MUTANT != FULL_WAKES_NOBODY
        assert(sleep_position == NONE || sleep_position >= position);
#endif
        if :: asked -> goto sleep :: else fi
    }
    /* mslot__ring_want_space, and then once more to the cell */
#if MUTANT == WANTED_AFTER_LOOK
    sequence = space_sequence; asked = true; goto look;
sleep:
    atomic { MAY_DIE; space_wanted = true };
#elif MUTANT == SEQUENCE_AFTER_LOOK
    atomic { MAY_DIE; space_wanted = true; asked = true; goto look };
sleep:
    sequence = space_sequence;
#else
    sequence = space_sequence;
    atomic { MAY_DIE; space_wanted = true; asked = true; goto look };
sleep:
#endif
#if MUTANT == CLOSED_IS_A_FLAG
    if :: atomic { closed_flag -> goto closed } :: else fi;
#endif
    atomic {
        MAY_DIE;
        asked = false; seen = 0;
        if
        :: space_sequence == sequence -> writer_sleeps[lane] = true; sequence = 0
        :: else -> sequence = 0; goto look
        fi
    }
    if
    :: atomic { !writer_sleeps[lane] -> goto look }
    :: atomic { kills > 0 && writer_sleeps[lane] -> writer_sleeps[lane] = false; kills--; lane_is_free[lane] = true; goto gone }
    :: atomic { timeouts > 0 && writer_sleeps[lane] -> writer_sleeps[lane] = false; timeouts--; sent++; t = 0; goto write }
    fi;

closed:
    atomic { lane_intent_position[lane] = NONE; pending = NONE };
leave:
    lane_is_free[lane] = true;
    goto gone;

left:
    atomic {
        t = 0; spare = 0; newest = 0; wake = NONE; sequence = 0; seen = 0;
        asked = false; unwoken = false; express = false; reset = true; goto recover
    };

gone:
    atomic {
        live--;
        own = 0; position = 0; woken_position = 0; pending = 0; t = 0; spare = 0; newest = 0; wake = 0; sequence = 0; sent = 0; seen = 0;
        asked = false; unwoken = false; express = false; reset = false
    }
}

/* ---- the reader, and whoever takes over from it ---- */

#define READER_MAY_DIE if :: reader_kills > 0 -> reader_kills--; goto dead :: true fi

/* Catches up with a reader that died between Read 4 and Read 5. */
inline catch_up() {
    h = head;
    do
    :: atomic { !is_closed(cells[CELL(h)]) && lap_of(cells[CELL(h)]) > LAP(h) -> READER_MAY_DIE; h++; head = h }
    :: else -> break
    od
}

inline change_space_sequence() {
    atomic { READER_MAY_DIE; space_sequence++ };
    atomic { READER_MAY_DIE; futex_wake_writers() }
}

#if MUTANT == HERE_READ_FROM_SLOT
#define message_at(position) slots[index_of(cells[CELL(position)])]
#else
#define message_at(position) (is_here(cells[CELL(position)]) -> lines[CELL(position)] : slots[index_of(cells[CELL(position)])])
#endif

proctype Reader() {
    byte h = CELLS, next = CELLS, index = 0, message = 0, t = 0;     /* h: mslot_ring_reader.head */
    short seen = 0;
    goto read;

dead:
    atomic {
        sleep_position = NONE; excused = false; h = 0; next = 0; index = 0; t = 0; seen = 0;
#if NO_SUCCESSOR
        goto gone
#endif
    }
#if CLOSE
    if :: goto close :: true fi;                                                     /* mslot_remove, or another reader */
#endif
    /* mslot__ring_take_over */
#if MUTANT == NO_CATCH_UP
    h = head;
#else
    catch_up();
#endif
#if LEAVES
    assert(h == given_back || h == given_back + 1);                                  /* what was not released comes again */
#endif
    atomic { READER_MAY_DIE; parked_position = 0 };
#if MUTANT != TAKE_OVER_WAKES_NOBODY && MUTANT != SEALED_WAKES_NOBODY
    change_space_sequence();
#endif
    /* mslot__ring_tail */
    atomic { t = (tail_hint >= h && tail_hint <= h + CELLS -> tail_hint : h) };
    do
    :: atomic { is_closed(cells[CELL(t)]) -> t = 0; goto gone }                      /* sealed: never adopted */
    :: atomic { is_full_of(cells[CELL(t)], LAP(t)) -> t++ }
    :: atomic { is_empty_of(cells[CELL(t)], LAP(t)) -> break }
    :: atomic { is_full_of(cells[CELL(t)], LAP(t) - 1) -> assert(t == h + CELLS); break }
    od;
#if MUTANT == SEALED_WAKES_NOBODY
    change_space_sequence();
#endif
    atomic {
        t = 0; next = h;
#if CLOSE
        if :: goto close :: true fi                                                  /* fresh, or adopt */
#endif
    }

read:
    if
    :: atomic { next < h + LENT && next < h + CELLS -> READER_MAY_DIE; seen = cells[CELL(next)] }
        if
        :: atomic { is_full_of(seen, LAP(next)) -> seen = 0; goto take }             /* Read 1 and 2 */
        :: atomic { is_empty_of(seen, LAP(next)) -> seen = 0; goto park }
        fi                                                                           /* anything else is an error */
    :: next > h -> goto release
#if CLOSE
    :: true -> goto close
#endif
#if LEAVES
    /* mslot_reader_leave: between two calls; the lock goes, and no word of the segment changes */
    :: atomic { leaves > 0 -> leaves-- };
#if MUTANT == LEAVE_SEALS
        goto close
#elif MUTANT == LEAVE_TAKES_LENT
        atomic { head = next; goto dead }
#else
        goto dead
#endif
#endif
    fi;

take:
    atomic {
        READER_MAY_DIE;
        message = message_at(next);
        if
        :: next > delivered ->
            assert(next == delivered + 1);
            delivered = next; delivered_message[CELL(next)] = message;
            assert(message % 8 > last_number[message / 8]);
            last_number[message / 8] = message % 8
        :: else -> assert(delivered_message[CELL(next)] == message)                  /* again after a death: the same */
        fi;
        message = 0; next++;
        if
        :: goto read                                                                 /* lent */
        :: next == h + 1 -> goto release                                             /* copied */
        fi
    }

release:
    atomic {
        READER_MAY_DIE;
#if LEAVES
        given_back = h;
#endif
        index = index_of(cells[CELL(h)]);
        assert(message_at(h) == delivered_message[CELL(h)]);                         /* nobody touched what was lent */
#if MUTANT == HEAD_BEFORE_CELL
        head = h + 1; READER_MAY_DIE
#endif
    }
#if MUTANT == CELL_BEFORE_CONSUMED
    atomic { cells[CELL(h)] = make_cell(EMPTY, LAP(h) + 1, index); READER_MAY_DIE };
    consumed[index] = h;
#else
    /* Read 3: of a slot only. Out of the line nothing comes that a lane has to know of. */
    atomic { consumed[index] = (is_here(cells[CELL(h)]) -> consumed[index] : h); READER_MAY_DIE };
    /* Read 4 */
    cells[CELL(h)] = make_cell(EMPTY, LAP(h) + 1, index);
#endif
    /* Read 5 */
    atomic { READER_MAY_DIE; h++; head = h; index = 0 };
    atomic {
        READER_MAY_DIE;
        if
        :: next > h -> goto release                                                  /* mslot_reader_release of several */
#if READ_BATCH
        :: next == h && is_full_of(cells[CELL(h)], LAP(h)) -> goto take
#endif
#if MUTANT == ROOM_FOR_NOBODY || MUTANT == ROOM_AFTER_USER_CODE
        :: goto read
#endif
#if MUTANT != ROOM_FOR_NOBODY
        /* Read 6 */
        :: space_wanted
        :: !space_wanted -> goto read
#endif
        fi
    }
#if MUTANT == COUNT_BEFORE_FLAG
    atomic { READER_MAY_DIE; space_sequence++ };
    space_wanted = false;
#else
    space_wanted = false;
    atomic { READER_MAY_DIE; space_sequence++ };
#endif
    atomic { READER_MAY_DIE; futex_wake_writers(); goto read };

park:
#if MUTANT == WAKEUP
    wakeup_seen = wakeup;
#endif
    atomic { READER_MAY_DIE; parked_position = next + 1 };
    /* The second look of mslot__ring_park and the one of futex_wait are one step here: between them nothing is done. */
    atomic {
        READER_MAY_DIE;
        if
#if MUTANT == WAKEUP
        :: is_empty_of(cells[CELL(next)], LAP(next)) && wakeup == wakeup_seen -> sleep_position = next
#else
        :: is_empty_of(cells[CELL(next)], LAP(next)) -> sleep_position = next
#endif
        :: else
        fi
    }
end_asleep:
    if
    :: atomic { sleep_position == NONE }
    :: atomic { reader_kills > 0 && sleep_position != NONE -> reader_kills--; goto dead }
    :: atomic { timeouts > 0 && sleep_position != NONE -> timeouts--; sleep_position = NONE; excused = false }
#if LENT > 1 || CLOSE
    :: atomic { (CLOSE || next > h) && sleep_position != NONE -> sleep_position = NONE; excused = false }     /* in time: its user has more to do */
#endif
    fi;
    parked_position = 0;
    goto read;

close:
    /* mslot__ring_seal */
#if MUTANT == CLOSED_IS_A_FLAG
    atomic { closed_flag = true; sealed = true };
#else
#if MUTANT == SEAL_WITHOUT_CATCH_UP
    h = head;
#else
    catch_up();
#endif
    t = h;
    do
    :: atomic {
            READER_MAY_DIE;
            seen = cells[CELL(t)];
            if
            :: is_closed(seen) -> break
            :: is_full_of(seen, LAP(t)) -> t++; seen = 0
            :: is_full_of(seen, LAP(t) - 1) -> assert(t == h + CELLS); index = index_of(seen); goto seal_full
            :: is_empty_of(seen, LAP(t))
            fi
        }
        if
        :: seen != 0 ->
            atomic {
                READER_MAY_DIE;
                if
                :: cells[CELL(t)] == seen -> cells[CELL(t)] = make_cell(CLOSED, LAP(t), index_of(seen)); sealed = true; break
                :: else -> seen = 0
                fi
            }
        :: else
        fi
    od;
    goto seal_done;
seal_full:
#if MUTANT != SEAL_WITHOUT_CONSUMED
    atomic { READER_MAY_DIE; consumed[index] = (is_here(seen) -> consumed[index] : h) };
#endif
    atomic { READER_MAY_DIE; cells[CELL(h)] = make_cell(CLOSED, LAP(t), index); sealed = true };
    atomic { READER_MAY_DIE; head = h + 1 };
seal_done:
#endif
#if MUTANT != CLOSE_WAKES_NOBODY
    change_space_sequence();
#endif
gone:
    atomic { h = 0; next = 0; index = 0; t = 0; seen = 0 }
}

/* ---- all of it ---- */

init {
    byte i, lane, own;
    byte places[SLOTS];

    atomic {
        i = 0;
        do :: i < CELLS -> cells[i] = make_cell(EMPTY, 1, i); i++ :: else -> break od;
        i = 0;
        do :: i < LANES -> lane_own[i] = CELLS + i; lane_intent_position[i] = NONE; i++ :: else -> break od;
        live = LANES;
        run Reader();
        i = 0;
        do :: i < LANES -> run Writer(i, i, MESSAGES); i++ :: else -> break od;
        i = 0
    }

    /* Later writers, on the lanes of those that are gone. */
    do
    :: atomic { openers > 0 && lane_is_free[lane] -> openers--; lane_is_free[lane] = false; live++; run Writer(lane, LANES + openers, 1); lane = 0 }
    :: atomic { openers > 0 && !lane_is_free[lane] && lane + 1 < LANES -> lane++ }
    :: atomic { live == 0 && (openers == 0 || lane + 1 == LANES && !lane_is_free[lane]) -> break }
    od;

    /* Every writer came to an end; now the reader has read all and sleeps, or has closed. A block here is a lost wake. */
#if NO_SUCCESSOR
    true;
#elif CLOSE
    (_nr_pr == 1);
#else
    atomic {
        sleep_position != NONE && (!is_full(cells[CELL(sleep_position)]) || excused) ->
        assert(excused || published == delivered - CELLS + 1)
    };
#endif
    d_step {
        /* I1, once the lanes of the dead, and of the stopped as if they died now, are recovered. */
        lane = 0;
        do
        :: lane < LANES ->
            own = lane_own[lane];
            if
            :: lane_intent_position[lane] != NONE -> recovered_slot(cells[CELL(lane_intent_position[lane])])
            :: else
            fi;
            places[own]++; lane++
        :: else -> break
        od;
        i = 0;
        do :: i < CELLS -> places[index_of(cells[i])]++; i++ :: else -> break od;
        i = 0;
        do :: i < SLOTS -> assert(places[i] == 1); i++ :: else -> break od
    }
}
