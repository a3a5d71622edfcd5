// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tests/freediameter/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_word(struct word* words, size_t* count, char* text) {
  char* equals = strchr(text, '=');
  if (equals == NULL || *count == step_words_max) {
    fprintf(stderr, "not a step: %s\n", text);
    exit(2);
  }
  *equals = '\0';
  words[(*count)++] = (struct word){.key = text, .value = equals + 1};
}

bool step_parse(char* line, struct step* step) {
  step->request_count = 0;
  step->expected_count = 0;
  line[strcspn(line, "#\n")] = '\0';
  bool is_expected = false;
  char* rest = line;
  for (char* text; (text = strsep(&rest, " ")) != NULL;) {
    if (*text == '\0') continue;
    if (strcmp(text, "->") == 0) {
      is_expected = true;
    } else if (is_expected) {
      add_word(step->expected, &step->expected_count, text);
    } else {
      add_word(step->request, &step->request_count, text);
    }
  }
  return step->request_count > 0;
}

const char* step_get(const struct step* step, const char* key, const char* absent) {
  for (size_t i = 0; i < step->request_count; ++i) {
    if (strcmp(step->request[i].key, key) == 0) return step->request[i].value;
  }
  return absent;
}
