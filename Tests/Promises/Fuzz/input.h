// An input is read as a stream of numbers; behind its end come zeros.
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

typedef struct fuzz_input {
    const uint8_t *next;
    size_t left;
} fuzz_input;

static inline uint8_t input_byte(fuzz_input *input)
{
    if (input->left == 0) return 0;
    input->left--;
    return *input->next++;
}

static inline uint64_t input_number(fuzz_input *input, unsigned byte_count)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < byte_count; i++) number |= (uint64_t)input_byte(input) << (8 * i);
    return number;
}

#endif
