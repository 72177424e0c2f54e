/*
 * Long messages: who may write over which bytes, and when. Beside Sources/CMailslots/Ring/long.c; the names are the same.
 *
 * One lane with OWNERS owners, one after the other: each is killed at any step, or closes. The overflow has SECTIONS sections; a long
 * message fills one or two of them, section by section. The ring itself is ring.pml's business: here a publication is one step that
 * puts a message at the tail. Another writer publishes short messages. The reader reads section by section, then moves the head.
 *
 * Claim: the reader never finds a section of a message changed. And nobody waits for ever: the end is always reached.
 */
#ifndef CELLS
#define CELLS 3
#endif
#define SECTIONS 3
#ifndef OWNERS
#define OWNERS 3
#endif
#ifndef LONGS
#define LONGS 2          /* long messages of each owner */
#endif
#define SHORTS 1
#define POSITIONS (CELLS + OWNERS * LONGS + SHORTS + 1)
#ifndef MUTANT
#define MUTANT 0
#endif
#define OVERFLOW_NOT_CLAIMED      1   /* mslot__ring_place does not say first that anything may be there */
#define LAST_INSTEAD_OF_NEXT      2   /* what is said afterwards is the last position, not the one behind it */
#define FORMER_OWNER_IGNORED      3
#define TAIL_NOT_ASKED            4   /* a new owner believes the former one, and waits for ever */
#define HEAD_NOT_ASKED            5
#define ONE_SECTION_KEPT          6   /* only the last section of a message is kept */

#define ANYTHING 255
#define NOTHING 0

/* What a position holds: a long message's number and where it lies, or a short one. */
byte number[POSITIONS], first_section[POSITIONS], section_count[POSITIONS];
byte bytes[SECTIONS];    /* of which message each section holds the bytes */
byte tail = CELLS, head = CELLS;
byte overflow = 0;       /* lane->overflow */
byte live = 0, next_number = 1;

#define PUBLISH(n, at, count) d_step { number[tail] = n; first_section[tail] = at; section_count[tail] = count; tail++ }
#define MAY_DIE if :: true -> goto dead :: true fi

proctype Owner() {
  byte last_position[SECTIONS], cursor = 0, before, written = 0, s, at, count, mine, last, i;

  /* mslot__ring_begin_overflow */
#if MUTANT == FORMER_OWNER_IGNORED
  before = 0;
#else
  before = overflow;
  if
  :: before != 0 ->
#if MUTANT != TAIL_NOT_ASKED
     if :: before > tail -> before = tail :: else fi;
#endif
     before--
  :: else
  fi;
#endif
  d_step { i = 0; do :: i < SECTIONS -> last_position[i] = before; i++ :: else -> break od; i = 0; before = 0 }

  do
  :: written == LONGS -> break
  :: else ->
     d_step { mine = next_number; next_number++ }
     if :: count = 1 :: count = 2 fi;
retry:
     /* mslot__ring_place */
     MAY_DIE;
#if MUTANT != OVERFLOW_NOT_CLAIMED
     overflow = ANYTHING;
#endif
     MAY_DIE;
     d_step { if :: cursor + count > SECTIONS -> at = 0 :: else -> at = cursor fi; s = at }
#if MUTANT != HEAD_NOT_ASKED
     do
     :: s == at + count -> break
     :: else ->
        if
        :: head > last_position[s] -> s++
        :: else ->
           (head > last_position[s]);   /* waits for room, and looks again */
           goto retry
        fi
     od;
#endif
     s = at;
     do
     :: s == at + count -> break
     :: else -> bytes[s] = mine; s++; MAY_DIE
     od;
     atomic { (tail - head < CELLS); last = tail; PUBLISH(mine, at, count) };   /* room in the ring, and Write 5 */
     MAY_DIE;
     /* mslot__ring_keep_place */
     d_step {
#if MUTANT == ONE_SECTION_KEPT
       s = at + count - 1;
#else
       s = at;
#endif
       do :: s < at + count -> last_position[s] = last; s++ :: else -> break od;
       cursor = at + count
     }
     /* settle */
#if MUTANT == LAST_INSTEAD_OF_NEXT
     overflow = last;
#else
     overflow = last + 1;
#endif
     MAY_DIE;
     d_step { written++; s = 0; at = 0; last = 0 }
  od;
dead: skip;
  d_step { s = 0; at = 0; last = 0; mine = 0; count = 0; written = 0; cursor = 0;
           i = 0; do :: i < SECTIONS -> last_position[i] = 0; i++ :: else -> break od; i = 0 }
  live--
}

proctype Short() {
  byte sent = 0;
  do
  :: sent == SHORTS -> break
  :: else -> atomic { (tail - head < CELLS); PUBLISH(NOTHING, 0, 0) }; sent++
  od
}

active proctype Reader() {
  byte i;
  do
  :: head < tail ->
     if
     :: number[head] != NOTHING ->
        i = 0;
        do
        :: i == section_count[head] -> break
        :: else -> assert(bytes[first_section[head] + i] == number[head]); i++
        od;
        i = 0
     :: else
     fi;
     head++                             /* Read 5 */
  :: head == tail && timeout -> break   /* nobody can do anything more */
  od
}

init {
  byte owner = 0;
  run Short();
  do
  :: owner == OWNERS -> break
  :: else -> (live == 0); live++; owner++; run Owner()
  od;
  (live == 0)
}
