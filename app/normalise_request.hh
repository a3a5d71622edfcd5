// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// RequestNormaliser: between decoding and charging, the rules of normalising files
// (docs/normalise.md) say what a request is about.
//
// What they set goes into the request for the charge tile: the service, its numbers and zone, and
// by which rating group and identifier it is priced. The client's own stay beside them: answers
// mirror those, and quotas are kept by them. An INITIAL or EVENT that no rule fits is refused. In
// an UPDATE or TERMINATION a service that no rule fits goes on as it came: what it reports was used
// and is booked, and the charge tile grants nothing more to it.
#pragma once

#include "app/charge_request.hh"
#include "diameter/credit_control.hh"
#include "rating/normalise.hh"

namespace tollgate::app {

class RequestNormaliser {
 public:
  // Rules that were published with a tariff; empty: none. False if they cannot be used.
  [[nodiscard]] bool use(Bytes rules, rating::Program::Mapping mapping) {
    return rules_.use(rules, mapping);
  }
  bool is_active() const { return rules_.is_active(); }

  // The whole message is at hand; its request has been decoded, and its services written.
  struct Input {
    Bytes message;
    const diameter::CreditControlRequest& request;
    Instant now;
  };
  // What becomes of the request: its head, services and numbers are there, as it came.
  struct Written {
    ChargeRequest& head;
    std::span<ChargeService> services;
    ledger::SessionNumbers& numbers;
  };
  struct Result {
    // Why the request is refused, or the grant of a service: ok and unchanged are no reasons.
    rating::NormaliseOutcome reason = rating::NormaliseOutcome::ok;
    bool is_refused = false;         // as a whole; `refusal` tells the AVP
    bool is_priced_as_came = false;  // a report that no rule fits is in it
  };
  [[nodiscard]] Result apply(const Input& input, const Written& written,
                             diameter::Refusal& refusal);

 private:
  rating::Normaliser rules_;
};

}  // namespace tollgate::app
