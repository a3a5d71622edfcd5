// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// ctf: a charging trigger function as an extension of freeDiameterd. It plays the table of steps
// that its argument names, over the one peer of the configuration, prints one line a step and a
// summary, and then stops the daemon:
//
//   ok step=initial result=2001 mscc=2001 grant=octets:1000000 final=no grammar=ok
//   summary steps=6 failed=0
//
// freeDiameter checks each answer against its dictionary's rules before we see it; what it refuses
// never arrives, and the step fails by its timeout.
#include <freeDiameter/extension.h>
#include <inttypes.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/freediameter/message.h"
#include "tests/freediameter/steps.h"

enum { answer_timeout_s = 10, connect_timeout_ms = 20000, sent_steps_max = 256 };

// Time since 1900, as Diameter counts it.
static const uint32_t ntp_epoch_offset_s = 2208988800U;

struct sent {
  char name[64];
  uint32_t end_to_end;
};

static struct sent sent_steps[sent_steps_max];
static size_t sent_count = 0;
static const char* steps_file = NULL;
static sem_t answered;
static struct msg* answer = NULL;
static pthread_t player;

// -- The request ----------------------------------------------------------------------------------

static uint32_t request_type(const char* letter) {
  const char* letters = "IUTE";
  const char* found = strchr(letters, letter[0]);
  return found == NULL ? 0 : (uint32_t)(found - letters) + 1;
}

static uint32_t action_code(const char* name) {
  const char* names[] = {"direct", "refund", "balance", "price"};
  for (uint32_t code = 0; code < 4; ++code) {
    if (strcmp(name, names[code]) == 0) return code;
  }
  fprintf(stderr, "no action %s\n", name);
  exit(2);
}

static void add_subscription(msg_or_avp* parent, uint32_t type, const char* data) {
  if (data == NULL) return;
  struct avp* subscription = add_group(parent, "Subscription-Id");
  add_u32(subscription, "Subscription-Id-Type", type);
  add_text(subscription, "Subscription-Id-Data", data);
}

// "octets:1000", "time:60", "units:1", or "any" for an empty group.
static void add_units(msg_or_avp* parent, const char* group, const char* text) {
  if (text == NULL) return;
  struct avp* units = add_group(parent, group);
  const char* colon = strchr(text, ':');
  if (colon == NULL) return;
  const uint64_t count = strtoull(colon + 1, NULL, 10);
  if (strncmp(text, "octets", 6) == 0) {
    add_u64(units, "CC-Total-Octets", count);
  } else if (strncmp(text, "time", 4) == 0) {
    add_u32(units, "CC-Time", (uint32_t)count);
  } else {
    add_u64(units, "CC-Service-Specific-Units", count);
  }
}

static void add_service_information(struct msg* request, const char* context) {
  struct avp* information = add_group(request, "Service-Information");
  if (strstr(context, "32274") != NULL) {
    add_u32(add_group(information, "SMS-Information"), "SM-Message-Type", 0);
  } else {
    struct avp* ps = add_group(information, "PS-Information");
    const uint8_t address[] = {0, 1, 192, 0, 2, 1};
    add_octets(ps, "SGSN-Address", address, sizeof address);
    add_text(ps, "Called-Station-Id", "internet");
    add_text(ps, "3GPP-SGSN-MCC-MNC", "24001");
  }
}

static void add_destination(struct msg* request) {
  pthread_rwlock_rdlock(&fd_g_peers_rw);
  const struct peer_hdr* peer = fd_g_peers.next->o;
  add_text(request, "Destination-Realm", peer->info.runtime.pir_realm);
  pthread_rwlock_unlock(&fd_g_peers_rw);
}

static void add_head(struct msg* request, const struct step* step) {
  const char* type = step_get(step, "type", "");
  add_text(request, "Session-Id", step_get(step, "session", ""));
  fd_msg_add_origin(request, 0);
  add_destination(request);
  add_u32(request, "Auth-Application-Id", 4);
  add_text(request, "Service-Context-Id", step_get(step, "context", "32251@3gpp.org"));
  add_u32(request, "CC-Request-Type", request_type(type));
  add_u32(request, "CC-Request-Number",
          (uint32_t)strtoull(step_get(step, "number", "0"), NULL, 10));
  const uint32_t now_s = htonl((uint32_t)time(NULL) + ntp_epoch_offset_s);
  add_octets(request, "Event-Timestamp", &now_s, sizeof now_s);
  add_subscription(request, 0, step_get(step, "msisdn", NULL));
  add_subscription(request, 1, step_get(step, "imsi", NULL));
  if (type[0] == 'T') add_u32(request, "Termination-Cause", 1);
  const char* action = step_get(step, "action", NULL);
  if (action != NULL) add_u32(request, "Requested-Action", action_code(action));
}

static struct msg* make_request(const struct step* step) {
  struct dict_object* command = NULL;
  struct msg* request = NULL;
  if (fd_dict_search(fd_g_config->cnf_dict, DICT_COMMAND, CMD_BY_NAME, "Credit-Control-Request",
                     &command, ENOENT) != 0 ||
      fd_msg_new(command, MSGFL_ALLOC_ETEID, &request) != 0) {
    fprintf(stderr, "no Credit-Control-Request: is dict_dcca loaded?\n");
    exit(2);
  }
  struct msg_hdr* header = NULL;
  fd_msg_hdr(request, &header);
  header->msg_appl = 4;
  add_head(request, step);
  const char* group = step_get(step, "rg", NULL);
  msg_or_avp* place = request;
  if (group != NULL) {
    add_u32(request, "Multiple-Services-Indicator", 1);
    place = add_group(request, "Multiple-Services-Credit-Control");
  }
  add_units(place, "Requested-Service-Unit", step_get(step, "ask", NULL));
  add_units(place, "Used-Service-Unit", step_get(step, "used", NULL));
  if (group != NULL) add_u32(place, "Rating-Group", (uint32_t)strtoull(group, NULL, 10));
  add_service_information(request, step_get(step, "context", ""));
  return request;
}

// A step that repeats an earlier one is a retransmission: its end-to-end identifier and the T flag.
static void mark_repetition(struct msg* request, const struct step* step) {
  struct msg_hdr* header = NULL;
  fd_msg_hdr(request, &header);
  const char* repeats = step_get(step, "repeat", NULL);
  for (size_t i = 0; repeats != NULL && i < sent_count; ++i) {
    if (strcmp(sent_steps[i].name, repeats) == 0) {
      header->msg_eteid = sent_steps[i].end_to_end;
      header->msg_flags |= CMD_FLAG_RETRANSMIT;
    }
  }
  if (sent_count == sent_steps_max) return;
  struct sent* sent = &sent_steps[sent_count++];
  snprintf(sent->name, sizeof sent->name, "%s", step_get(step, "step", ""));
  sent->end_to_end = header->msg_eteid;
}

// -- The answer -----------------------------------------------------------------------------------

enum { fields_max = 5, field_bytes = 64 };

struct fields {
  const char* names[fields_max];
  char values[fields_max][field_bytes];
};

static void write_grant(msg_or_avp* place, char* text) {
  struct avp* granted = find_avp(place, "Granted-Service-Unit");
  uint64_t count = 0;
  uint32_t seconds = 0;
  if (granted == NULL) {
    snprintf(text, field_bytes, "none");
  } else if (find_u64(granted, "CC-Total-Octets", &count)) {
    snprintf(text, field_bytes, "octets:%" PRIu64, count);
  } else if (find_u32(granted, "CC-Time", &seconds)) {
    snprintf(text, field_bytes, "time:%u", seconds);
  } else if (find_u64(granted, "CC-Service-Specific-Units", &count)) {
    snprintf(text, field_bytes, "units:%" PRIu64, count);
  } else {
    snprintf(text, field_bytes, "other");
  }
}

static void write_final(msg_or_avp* place, char* text) {
  const char* actions[] = {"terminate", "redirect", "restrict"};
  struct avp* final = find_avp(place, "Final-Unit-Indication");
  uint32_t action = 0;
  const bool known = final != NULL && find_u32(final, "Final-Unit-Action", &action) && action < 3;
  snprintf(text, field_bytes, "%s", known ? actions[action] : final == NULL ? "no" : "unknown");
}

static struct fields read_answer(struct msg* message) {
  struct fields fields = {.names = {"result", "mscc", "grant", "final", "grammar"}};
  uint32_t code = 0;
  if (message == NULL || !find_u32(message, "Result-Code", &code)) {
    snprintf(fields.values[0], field_bytes, "none");
    return fields;
  }
  snprintf(fields.values[0], field_bytes, "%u", code);
  struct avp* service = find_avp(message, "Multiple-Services-Credit-Control");
  msg_or_avp* place = service == NULL ? (msg_or_avp*)message : service;
  if (service == NULL) {
    snprintf(fields.values[1], field_bytes, "none");
  } else if (find_u32(service, "Result-Code", &code)) {
    snprintf(fields.values[1], field_bytes, "%u", code);
  } else {
    snprintf(fields.values[1], field_bytes, "absent");
  }
  write_grant(place, fields.values[2]);
  write_final(place, fields.values[3]);
  struct fd_pei error = {0};
  const uint32_t unknown = first_unknown_avp(message);
  if (fd_msg_parse_rules(message, fd_g_config->cnf_dict, &error) != 0) {
    snprintf(fields.values[4], field_bytes, "%s", error.pei_errcode ? error.pei_errcode : "rules");
  } else if (unknown != 0) {
    snprintf(fields.values[4], field_bytes, "unknown-avp-%u", unknown);
  } else {
    snprintf(fields.values[4], field_bytes, "ok");
  }
  return fields;
}

static const char* value_of(const struct fields* fields, const char* name) {
  for (size_t i = 0; i < fields_max; ++i) {
    if (strcmp(fields->names[i], name) == 0) return fields->values[i];
  }
  return "absent";
}

static bool report(const struct step* step, const struct fields* fields) {
  bool good = true;
  for (size_t i = 0; i < step->expected_count; ++i) {
    good &= strcmp(value_of(fields, step->expected[i].key), step->expected[i].value) == 0;
  }
  printf("%s step=%s", good ? "ok" : "FAIL", step_get(step, "step", "?"));
  for (size_t i = 0; i < fields_max; ++i) printf(" %s=%s", fields->names[i], fields->values[i]);
  for (size_t i = 0; !good && i < step->expected_count; ++i) {
    if (strcmp(value_of(fields, step->expected[i].key), step->expected[i].value) != 0)
      printf(" expected_%s=%s", step->expected[i].key, step->expected[i].value);
  }
  printf("\n");
  fflush(stdout);
  return good;
}

// -- Playing --------------------------------------------------------------------------------------

static void on_answer(void* data, struct msg** message) {
  (void)data;
  answer = *message;
  *message = NULL;
  sem_post(&answered);
}

static bool play_step(const struct step* step) {
  struct msg* request = make_request(step);
  mark_repetition(request, step);
  answer = NULL;
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += answer_timeout_s;
  if (fd_msg_send(&request, on_answer, NULL) == 0) sem_timedwait(&answered, &until);
  const struct fields fields = read_answer(answer);
  if (answer != NULL) fd_msg_free(answer);
  return report(step, &fields);
}

static bool wait_for_peer(void) {
  for (int waited_ms = 0; waited_ms < connect_timeout_ms; waited_ms += 50) {
    pthread_rwlock_rdlock(&fd_g_peers_rw);
    struct fd_list* first = fd_g_peers.next;
    const bool open = first != &fd_g_peers && fd_peer_get_state(first->o) == STATE_OPEN;
    pthread_rwlock_unlock(&fd_g_peers_rw);
    if (open) return true;
    nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
  }
  return false;
}

static void* play(void* unused) {
  (void)unused;
  int steps = 0, failed = 0;
  FILE* file = fopen(steps_file, "r");
  fd_core_waitstartcomplete();
  if (file == NULL) {
    printf("FAIL step=open no file %s\n", steps_file);
    failed = 1;
  } else if (!wait_for_peer()) {
    printf("FAIL step=connect no capabilities exchange in %d ms\n", connect_timeout_ms);
    failed = 1;
  } else {
    char line[1024];
    while (fgets(line, sizeof line, file) != NULL) {
      struct step step;
      if (!step_parse(line, &step)) continue;
      ++steps;
      failed += !play_step(&step);
    }
  }
  if (file != NULL) fclose(file);
  printf("summary steps=%d failed=%d\n", steps, failed);
  fflush(stdout);
  fd_core_shutdown();
  return NULL;
}

static int ctf_entry(char* file) {
  struct dict_object* application = NULL;
  const application_id_t credit_control = 4;
  steps_file = file;
  sem_init(&answered, 0, 0);
  const int error = fd_dict_search(fd_g_config->cnf_dict, DICT_APPLICATION, APPLICATION_BY_ID,
                                   &credit_control, &application, ENOENT);
  if (error != 0) return error;
  fd_disp_app_support(application, NULL, 1, 0);
  return pthread_create(&player, NULL, play, NULL);
}

void fd_ext_fini(void) {
  pthread_join(player, NULL);
}

EXTENSION_ENTRY("tollgate_ctf", ctf_entry, "dict_dcca", "dict_dcca_3gpp")
