// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tests/freediameter/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct dict_object* model_of(const char* name) {
  struct dict_object* model = NULL;
  if (fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_NAME_ALL_VENDORS, name, &model,
                     ENOENT) != 0) {
    fprintf(stderr, "no AVP %s in the dictionary\n", name);
    exit(2);
  }
  return model;
}

static void must(int error, const char* what) {
  if (error == 0) return;
  fprintf(stderr, "%s: %s\n", what, strerror(error));
  exit(2);
}

static struct avp* add_value(msg_or_avp* parent, const char* name, union avp_value* value) {
  struct avp* avp = NULL;
  must(fd_msg_avp_new(model_of(name), 0, &avp), name);
  if (value != NULL) must(fd_msg_avp_setvalue(avp, value), name);
  must(fd_msg_avp_add(parent, MSG_BRW_LAST_CHILD, avp), name);
  return avp;
}

void add_u32(msg_or_avp* parent, const char* name, uint32_t value) {
  add_value(parent, name, &(union avp_value){.u32 = value});
}

void add_u64(msg_or_avp* parent, const char* name, uint64_t value) {
  add_value(parent, name, &(union avp_value){.u64 = value});
}

void add_octets(msg_or_avp* parent, const char* name, const void* data, size_t size_bytes) {
  union avp_value value = {.os = {.data = (uint8_t*)data, .len = size_bytes}};
  add_value(parent, name, &value);
}

void add_text(msg_or_avp* parent, const char* name, const char* value) {
  add_octets(parent, name, value, strlen(value));
}

struct avp* add_group(msg_or_avp* parent, const char* name) {
  return add_value(parent, name, NULL);
}

struct avp* find_avp(msg_or_avp* parent, const char* name) {
  struct dict_avp_data wanted;
  must(fd_dict_getval(model_of(name), &wanted), name);
  struct avp* avp = NULL;
  fd_msg_browse(parent, MSG_BRW_FIRST_CHILD, &avp, NULL);
  while (avp != NULL) {
    struct avp_hdr* header = NULL;
    must(fd_msg_avp_hdr(avp, &header), name);
    if (header->avp_code == wanted.avp_code && header->avp_vendor == wanted.avp_vendor) return avp;
    struct avp* next = NULL;
    fd_msg_browse(avp, MSG_BRW_NEXT, &next, NULL);
    avp = next;
  }
  return NULL;
}

static union avp_value* find_value(msg_or_avp* parent, const char* name) {
  struct avp* avp = find_avp(parent, name);
  if (avp == NULL) return NULL;
  struct avp_hdr* header = NULL;
  must(fd_msg_avp_hdr(avp, &header), name);
  return header->avp_value;
}

bool find_u32(msg_or_avp* parent, const char* name, uint32_t* value) {
  union avp_value* found = find_value(parent, name);
  if (found != NULL) *value = found->u32;
  return found != NULL;
}

bool find_u64(msg_or_avp* parent, const char* name, uint64_t* value) {
  union avp_value* found = find_value(parent, name);
  if (found != NULL) *value = found->u64;
  return found != NULL;
}

uint32_t first_unknown_avp(struct msg* message) {
  struct avp* avp = NULL;
  fd_msg_browse(message, MSG_BRW_FIRST_CHILD, &avp, NULL);
  while (avp != NULL) {
    struct dict_object* model = NULL;
    struct avp_hdr* header = NULL;
    must(fd_msg_model(avp, &model), "model of an AVP");
    must(fd_msg_avp_hdr(avp, &header), "header of an AVP");
    if (model == NULL) return header->avp_code;
    struct avp* next = NULL;
    fd_msg_browse(avp, MSG_BRW_WALK, &next, NULL);
    avp = next;
  }
  return 0;
}
