// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Grants over a change of tariff (RFC 8506 section 5.7: Tariff-Time-Change, Tariff-Change-Usage).
//
// A client that knows of tariff changes is granted beyond the next one and told when it is, so that
// not all sessions come back at that moment. It reports what was used before and after it apart,
// and each part is priced at its own moment. All others are granted up to the change.
//
// Nobody knows how much will be used on which side, so what is held must do for any division of the
// grant. With one price a block on both sides any division costs less than the grant and three of
// the larger blocks at the dearer price, and two roundings: each side begins a block more than its
// quantity has at most, and a piece of usage may end in the middle of one. So much is held; where
// the balance does not have it, or a rule has steps, minimum, cap or counters, or the two are paid
// by different buckets, the grant ends at the change as for anyone else.
//
// Time is cut at the change by the clock alone (rating/stretch.hh) and needs none of it; RFC 8506
// 8.20 leaves it out as well.
#pragma once

#include "app/charge_context.hh"
#include "app/quota.hh"
#include "rating/price.hh"

namespace tollgate::app {

struct TariffChange {
  const rating::Rule* after = nullptr;  // the rule that counts from the change on
  Instant until = Instant::never();     // and the next change, up to which the grant is valid
};

// Whether a grant under `found` may reach over its change.
bool may_span_change(const ChargeContext& context, const ServiceRule& found,
                     const ChargeService& service, TariffChange& change);

// What is to be held for so much under either rule. False: the balance does not have it.
bool cover_both(const rating::Rule& before, const rating::Rule& after, const rating::Wish& wish,
                rating::Coverage& held);

// The change that the client of a session was told last; ChargeContext::no_change if it was none.
Instant told_change(const ledger::Session& session, Instant now);

// When what is reported was used from, for a part before or after a change.
Instant begin_of_part(const ChargeContext& context, const ChargeService& service,
                      const rating::Rule& rule, Quantity used);

}  // namespace tollgate::app
