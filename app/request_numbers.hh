// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The numbers of a request, by which zones are found: who calls, who is called, in which network.
//
// read_numbers takes them from the AVPs where 3GPP says that they stand (TS 32.299); what
// normalising rules have made of them counts before that. Only what the tariff asks for is looked
// at.
#pragma once

#include "diameter/credit_control.hh"
#include "ledger/records.hh"
#include "rating/charge_event.hh"

namespace tollgate::app {

// `roles` as Image::roles_asked tells them.
//
//   origin       Calling-Party-Address
//   destination  Called-Party-Address, Requested-Party-Address, Recipient-Address of SMS
//   network      3GPP-SGSN-MCC-MNC, 3GPP-User-Location-Info, IMS-Visited-Network-Identifier
//
// Digits count as international numbers, as they come; what holds no number is left out.
void read_numbers(const diameter::ServiceFacts& facts, u32 roles, ledger::SessionNumbers& numbers);

// What the event of normalising rules says, where it says something.
void set_numbers(const rating::ChargeEvent& event, ledger::SessionNumbers& numbers);

// What is not said stays what is known. A zone belongs to the numbers that it came with: who says
// some says none if he names none.
void fill_numbers(const ledger::SessionNumbers& known, ledger::SessionNumbers& numbers);

}  // namespace tollgate::app
