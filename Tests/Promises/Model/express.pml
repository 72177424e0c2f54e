/*
 * The express lane: a message in the line of its cell, word by word. Who may write into a line, and what of it a third party may
 * believe. Beside Sources/CMailslots/include/mailslots/ring.h and mslot__sight_copy of Ring/observe.c; the names of the steps are the same.
 *
 * Lane 0 has OWNERS owners, one after the other: each is killed at any step, or stopped there for ever, or closes. It publishes in
 * lines, the owner of lane 1 by slots. The reader reads in place; it may close at any time. An observer looks once, at any position
 * that was ever published: it keeps nothing from one look to the next, so once is all there is. Between any two steps of a process all
 * others may do as much as they like, so each is also "stopped for a while".
 *
 * Claims. What the reader reads is what was published there, whatever an owner of lane 0 has left half done. What an observer takes
 * for whole is what was published at that position, unread or read. Nobody waits for ever for an owner of lane 0, but who wants its lane.
 *
 * One message at most is marked: its words are 1, those of all others 0, and nobody acts upon them. Any two messages that can be taken
 * for each other, or mixed, are so in a run in which one of them is the marked one; so 0 and 1 are enough.
 *
 * Laps wrap around: the tag knows TAGS of them, FULL knows FULL_LAPS. EMPTY and CLOSED know all.
 *
 * Wakes, waiting for room and recovery are ring.pml's: here who finds no room waits until there is some, and own slot and cell change
 * in one step.
 */
#ifndef CELLS
#define CELLS 1
#endif
#ifndef OWNERS
#define OWNERS 2            /* of lane 0, one after the other */
#endif
#ifndef MESSAGES
#define MESSAGES 1          /* of each owner of lane 0 */
#endif
#ifndef OTHERS
#define OTHERS 1            /* messages of the owner of lane 1 */
#endif
#ifndef SLOTS_TOO
#define SLOTS_TOO 0         /* 1: an owner of lane 0 publishes by its slot, too */
#endif
#ifndef KILLS
#define KILLS 1             /* of owners of lane 0 */
#endif
#ifndef STOPS
#define STOPS 0             /* of owners of lane 0, for ever */
#endif
#ifndef CLOSE
#define CLOSE 0             /* 1: the reader may close at any time */
#endif
#ifndef TAGS
#define TAGS 2              /* how many laps the tag tells apart; the segment has 256 */
#endif
#ifndef FULL_LAPS
#define FULL_LAPS 4         /* how many laps FULL tells apart; the segment has 32,768 */
#endif
#ifndef HOSTILE
#define HOSTILE 0           /* 1: somebody changes lengths at any time; then only where the reader writes to is checked */
#endif

#ifndef MUTANT
#define MUTANT 0
#endif
#define SECOND_EXPRESS_OWNER     1  /* the owner of lane 1 writes into lines, too */
#define LANE_WITHOUT_LOCK        2  /* lane 0 is given on while its owner may still store */
#define FILLED_AFTER_SWAP        3
#define BYTES_BEFORE_TAG         4  /* the tag of the lap before stays while bytes are filled */
#define TAG_LOOKED_AT_ONCE       5  /* the observer looks at the tag before it copies, and not again */
#define STATE_LOOKED_AT_ONCE     6  /* the observer looks at the state before it copies, and not again */
#define TAG_ALONE_BELIEVED       7  /* the tag, and not the state, tells the observer where the message is */
#define EMPTY_FORGETS_HERE       8
#define CLOSED_FORGETS_HERE      9
#define HEAD_NOT_COMPARED       10  /* by the observer, with a position that is FULL */
#define LENGTH_READ_TWICE       11  /* by the reader: once to check it, once to copy */
#define LENGTH_NOT_CHECKED      12

/* ---- the segment ---- */

#define EMPTY 1
#define FULL 2
#define CLOSED 3
/* `here` says where the message is; of EMPTY and CLOSED: where the one is that was released. */
#define make_cell(kind, lap, index, here) ((kind) << 10 | (here) << 9 | (lap) << 4 | (index))
#define kind_of(cell) ((cell) >> 10)
#define is_here(cell) ((cell) >> 9 & 1)
#define lap_of(cell) ((cell) >> 4 & 31)
#define index_of(cell) ((cell) & 15)
#define is_full(cell) (kind_of(cell) == FULL)
#define is_closed(cell) (kind_of(cell) == CLOSED)
#define is_empty_of(cell, lap) (kind_of(cell) == EMPTY && lap_of(cell) == (lap))
#define is_closed_of(cell, lap) (kind_of(cell) == CLOSED && lap_of(cell) == (lap))
#define is_full_of(cell, lap) (kind_of(cell) == FULL && lap_of(cell) == (lap) % FULL_LAPS)
#define CELL(position) ((position) % CELLS)
#define LAP(position) ((position) / CELLS)
#define LANES 2
#define SLOTS (CELLS + LANES)

/* A line's second word, which is stored and loaded in one piece: the tag and the length, in words. */
#define LENGTH_MAX 2
#define make_header(tag, length) ((tag) << 2 | (length))
#define tag_of(header) ((header) >> 2)
#define length_of(header) ((header) & 3)
#define tag_for(position) (LAP(position) % TAGS)

short cells[CELLS];
byte headers[CELLS];
bit first[CELLS], second[CELLS];        /* the words of the lines */
bit slots[SLOTS];                       /* the words of a slot: that nobody sees them half filled is not the line's business */
byte lane_own[LANES];
byte head = CELLS;

/* ---- what is checked ---- */

byte tail = CELLS, marked_position = 0, marks = 1, live = 0, kills = KILLS, stops = STOPS;
bool sealed = false;
#define is_marked(position) ((position) == marked_position)

/* ---- writers ---- */

#define MAY_DIE \
    if \
    :: lane == 0 && kills > 0 -> kills--; goto gone \
    :: lane == 0 && stops > 0 -> stops--; owners = 1; goto gone \
    :: true \
    fi

/* The owners of a lane, one after the other: only with its lock, so when the one before can store no more. */
proctype Writer(byte lane; byte owners; byte messages) {
    byte t, left;
    short seen = 0;
    bit message = 0;
    bool express = false;

begin:
    atomic { t = head; left = messages };

write:
    atomic {
        if :: left == 0 -> goto gone :: else fi;
        if :: marks > 0 -> marks--; message = 1 :: true fi;
        if
#if MUTANT == SECOND_EXPRESS_OWNER
        :: express = true
#else
        :: lane == 0 -> express = true
#endif
        :: lane != 0 || SLOTS_TOO -> express = false; MAY_DIE; slots[lane_own[lane]] = message
        fi
    }

look:
    /* Write 2 */
    atomic {
        seen = cells[CELL(t)];
        if
        :: is_closed(seen) -> goto gone
        :: is_full_of(seen, LAP(t)) -> t++; seen = 0; goto look
        :: is_empty_of(seen, LAP(t)) && !express -> goto swap
        :: is_empty_of(seen, LAP(t)) && express -> goto fill
        :: else
        fi
    }
    atomic {
        if
        :: is_full_of(seen, LAP(t) - 1) && t >= head + CELLS -> seen = 0
        :: is_full_of(seen, LAP(t) - 1) && t < head + CELLS -> seen = 0; t = (head > t -> head : t); goto look
        :: else -> seen = 0; t = (head > t -> head : t + 1); goto look
        fi
    }
    atomic { (t < head + CELLS || sealed) -> goto look };

fill:
#if MUTANT == FILLED_AFTER_SWAP
    goto swap;
filled_late:
#endif
#if MUTANT != BYTES_BEFORE_TAG
    atomic { MAY_DIE; headers[CELL(t)] = make_header(tag_for(t), LENGTH_MAX) };
#endif
    atomic { MAY_DIE; first[CELL(t)] = message };
    atomic { MAY_DIE; second[CELL(t)] = message };
#if MUTANT == BYTES_BEFORE_TAG
    atomic { MAY_DIE; headers[CELL(t)] = make_header(tag_for(t), LENGTH_MAX) };
#endif
#if MUTANT == FILLED_AFTER_SWAP
    goto published;
#endif

swap:
    /* Write 5 */
    atomic {
        MAY_DIE;
        if
        :: cells[CELL(t)] == seen ->
            assert(!sealed && t == tail);
            tail++; marked_position = (message -> t : marked_position);
            if
            :: express -> cells[CELL(t)] = make_cell(FULL, LAP(t) % FULL_LAPS, index_of(seen), 1)
            :: else -> cells[CELL(t)] = make_cell(FULL, LAP(t) % FULL_LAPS, lane_own[lane], 0); lane_own[lane] = index_of(seen)
            fi;
            seen = 0
        :: else -> seen = 0; goto look
        fi;
#if MUTANT == FILLED_AFTER_SWAP
        if :: express -> goto filled_late :: else fi
#endif
    }
published:
    atomic { MAY_DIE; t++; message = 0; express = false; left--; goto write };

gone:
    atomic {
        owners--; t = 0; left = 0; seen = 0; message = 0; express = false;
        if :: owners > 0 -> goto begin :: else -> live-- fi
    }
}

/* ---- the reader ---- */

/* Whether the message that is there is the one that was published there. */
#define IS_WHOLE(cell) \
    (is_here(cell) -> first[CELL(head)] == is_marked(head) && second[CELL(head)] == is_marked(head) \
                        && length_of(headers[CELL(head)]) == LENGTH_MAX \
                   : slots[index_of(cell)] == is_marked(head))

proctype Reader() {
    byte length = 0, t = 0;
    short seen = 0;

end_look:
    if
    :: atomic {
            !is_empty_of(cells[CELL(head)], LAP(head)) ->
            seen = cells[CELL(head)];
            assert(is_full_of(seen, LAP(head)) && (HOSTILE || IS_WHOLE(seen)))
        }
#if CLOSE
    :: goto close
#endif
    fi;
#if HOSTILE
    /* Read 2: the length once, checked, then used. */
    atomic { if :: !is_here(seen) -> goto release :: else -> length = length_of(headers[CELL(head)]) fi };
#if MUTANT != LENGTH_NOT_CHECKED
    if :: atomic { length > LENGTH_MAX -> goto release } :: else fi;
#endif
#if MUTANT == LENGTH_READ_TWICE
    length = length_of(headers[CELL(head)]);
#endif
    assert(length <= LENGTH_MAX);       /* as many words are copied */
#endif

release:
    /* Read 4 */
    atomic {
        assert(HOSTILE || IS_WHOLE(seen));                                           /* lent until now */
        cells[CELL(head)] = make_cell(EMPTY, LAP(head) + 1, index_of(seen), (MUTANT != EMPTY_FORGETS_HERE -> is_here(seen) : 0));
        length = 0; seen = 0
    }
    /* Read 5 */
    atomic { head++; goto end_look }

#if CLOSE
close:
    /* mslot__ring_seal */
    t = head;
seal:
    atomic {
        seen = cells[CELL(t)];
        if :: is_full_of(seen, LAP(t)) -> t++; goto seal :: else fi
    }
    atomic {
        if
        :: cells[CELL(t)] == seen ->
            assert(is_empty_of(seen, LAP(t)) || is_full_of(seen, LAP(t) - 1) && t == head + CELLS);
            cells[CELL(t)] = make_cell(CLOSED, LAP(t), index_of(seen), (MUTANT != CLOSED_FORGETS_HERE -> is_here(seen) : 0));
            sealed = true
        :: else -> goto seal
        fi
    }
    atomic { head = (is_full(seen) -> head + 1 : head); t = 0; seen = 0 }
#endif
}

/* ---- who looks ---- */

/* has_message_of: unread, or released and not yet written over. */
#define has_message_of(cell, lap) (is_full_of(cell, lap) || is_empty_of(cell, (lap) + 1) || is_closed_of(cell, (lap) + 1))

proctype Observer() {
    byte position = CELLS, header = 0;
    short seen = 0;
    bit copied = 0, copied_second = 0;
    bool here = false;

    /* mslot__sight_copy */
    atomic {
        do :: position < tail -> position++ :: break od;
        if :: !has_message_of(cells[CELL(position)], LAP(position)) -> goto done :: else fi;
        seen = cells[CELL(position)]; here = is_here(seen);
        if :: !here && MUTANT != TAG_ALONE_BELIEVED -> goto slot :: else fi
    }
    atomic {
        header = headers[CELL(position)];
        if
        :: tag_of(header) == tag_for(position) -> here = true
        :: else -> if :: here -> goto done :: else -> goto slot fi
        fi
    }
    copied = first[CELL(position)];
    copied_second = second[CELL(position)];
#if MUTANT != TAG_LOOKED_AT_ONCE
    atomic { if :: headers[CELL(position)] != header -> goto done :: else fi };
#endif
    goto look_again;
slot:
    atomic { copied = slots[index_of(seen)]; copied_second = copied };
look_again:
#if MUTANT == STATE_LOOKED_AT_ONCE
    goto shown;
#endif
    atomic {
        if
        :: !has_message_of(cells[CELL(position)], LAP(position)) || index_of(cells[CELL(position)]) != index_of(seen) -> goto done
        :: else -> if :: is_full(cells[CELL(position)]) && MUTANT != HEAD_NOT_COMPARED :: else -> goto shown fi
        fi
    }
    /* FULL, perhaps of another lap: below the head nothing is FULL of its own. What was released meanwhile has to be there still. */
    atomic { if :: head <= position -> goto shown :: else fi };
    atomic {
        if
        :: is_full(cells[CELL(position)]) || !has_message_of(cells[CELL(position)], LAP(position)) -> goto done
        :: else
        fi
    };
shown:
    atomic {
        assert(position < tail);
        assert(copied == is_marked(position) && copied_second == is_marked(position))
    };
done:
    atomic { position = 0; header = 0; seen = 0; copied = 0; copied_second = 0; here = false }
}

proctype Hostile() {
    byte cell = 0, length;
end:
    do
    :: atomic { cell < CELLS - 1 -> cell++ }
    :: atomic { cell > 0 -> cell-- }
    :: atomic {
            if :: length = 0 :: length = LENGTH_MAX :: length = LENGTH_MAX + 1 fi;
            headers[cell] = make_header(tag_of(headers[cell]), length); length = 0
        }
    od
}

/* ---- all of it ---- */

init {
    byte i;
    byte places[SLOTS];

    atomic {
        i = 0;
        do :: i < CELLS -> cells[i] = make_cell(EMPTY, 1, i, 0); headers[i] = make_header(0, 0); i++ :: else -> break od;
        i = 0;
        do :: i < LANES -> lane_own[i] = CELLS + i; i++ :: else -> break od;
        run Reader();
#if MUTANT == LANE_WITHOUT_LOCK
        live = 3; run Writer(0, 1, MESSAGES); run Writer(0, OWNERS - 1, MESSAGES);
#else
        live = 2; run Writer(0, OWNERS, MESSAGES);
#endif
        run Writer(1, 1, OTHERS);
#if HOSTILE
        run Hostile();
#else
        run Observer();
#endif
        i = 0
    }

    /* Every writer came to its end, and the reader has read all, or has closed. */
    atomic { live == 0 && (sealed || head == tail) };
    d_step {
        /* I1 */
        do :: i < LANES -> places[lane_own[i]]++; i++ :: else -> break od;
        i = 0;
        do :: i < CELLS -> places[index_of(cells[i])]++; i++ :: else -> break od;
        i = 0;
        do :: i < SLOTS -> assert(places[i] == 1); i++ :: else -> break od
    }
}
