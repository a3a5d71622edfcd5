// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// steps: the flat table of steps that a client plays (tests/e2e/steps.py), one request a line as
// "key=value" words, then "->", then what the answer must hold. No memory of its own: a line is cut
// in place, and lives as long as the buffer that it was read into.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { step_words_max = 32 };

struct word {
  const char* key;
  const char* value;
};

struct step {
  struct word request[step_words_max];
  size_t request_count;
  struct word expected[step_words_max];
  size_t expected_count;
};

// Cuts one line. False for an empty line or a comment; a line that is not a table line ends the
// process with a message, as the table belongs to the test.
bool step_parse(char* line, struct step* step);

// The value of a key of the request, or absent.
const char* step_get(const struct step* step, const char* key, const char* absent);
