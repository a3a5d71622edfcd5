// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// message: AVPs by name on freeDiameter's messages. The dictionary is Debian's (dict_dcca,
// dict_dcca_3gpp); a name that it does not know ends the process: the test asked for nonsense.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <freeDiameter/extension.h>

// Each appends one AVP to parent, a message or a grouped AVP.
void add_u32(msg_or_avp* parent, const char* name, uint32_t value);
void add_u64(msg_or_avp* parent, const char* name, uint64_t value);
void add_text(msg_or_avp* parent, const char* name, const char* value);
void add_octets(msg_or_avp* parent, const char* name, const void* data, size_t size_bytes);
struct avp* add_group(msg_or_avp* parent, const char* name);

// The first AVP of that name directly inside parent, or NULL.
struct avp* find_avp(msg_or_avp* parent, const char* name);

bool find_u32(msg_or_avp* parent, const char* name, uint32_t* value);
bool find_u64(msg_or_avp* parent, const char* name, uint64_t* value);

// The code of the first AVP at any depth that the dictionary does not know, or 0.
uint32_t first_unknown_avp(struct msg* message);
