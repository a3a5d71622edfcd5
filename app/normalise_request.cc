// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/normalise_request.hh"

#include "app/request_numbers.hh"
#include "diameter/avp_ids.hh"
#include "diameter/dictionary.hh"

namespace tollgate::app {
namespace {

using rating::NormaliseOutcome;

// AVPs where they lie in the message. Most paths begin with Service-Information, which decoding has
// found already.
class MessageAvps final : public rating::AvpSource {
 public:
  explicit MessageAvps(const RequestNormaliser::Input& input)
      : avps_(input.message.subspan(diameter::header_bytes)),
        service_information_(input.request.facts.service_information) {}

  bool find(std::span<const rating::AvpStep> path, Bytes& data) const override {
    Bytes inside = avps_;
    for (const rating::AvpStep& step : path) {
      const diameter::AvpId id{step.code, step.vendor};
      const bool is_known = inside.data() == avps_.data() && !service_information_.empty() &&
                            id == diameter::avp::service_information;
      if (is_known) {
        inside = service_information_;
        continue;
      }
      diameter::Avp avp;
      if (!find_first(inside, id, avp)) return false;
      inside = avp.data();
    }
    data = inside;
    return true;
  }

 private:
  Bytes avps_;
  Bytes service_information_;
};

// Failed-AVP: the culprit in its groups as it came, or an example of it where it is missing.
void tell_culprit(Bytes message, std::span<const rating::AvpStep> path,
                  diameter::Refusal& refusal) {
  refusal.set(diameter::ResultCode::rating_failed);
  std::array<diameter::Avp, diameter::avp_depth_max> chain;
  std::size_t depth = 0;
  Bytes inside = message.subspan(diameter::header_bytes);
  for (const rating::AvpStep& step : path) {
    diameter::AvpId id{step.code, step.vendor};
    if (depth == chain.size() || !find_first(inside, id, chain[depth])) {
      const diameter::AvpInfo* info = diameter::find_avp(step.code, step.vendor);
      refusal.add_example(info != nullptr ? info->id : id);
      while (depth > 0) refusal.wrap(chain[--depth]);
      return;
    }
    inside = chain[depth++].data();
  }
  if (depth == 0) return;
  refusal.add_offender(chain[--depth]);
  while (depth > 0) refusal.wrap(chain[--depth]);
}

bool wants_grant(const ChargeRequest& head, const ChargeService& service) {
  return head.kind == RequestKind::update && service.wanted != Wanted::nothing &&
         service.is_final_report == 0;
}

void take_price_key(const rating::ChargeEvent& event, ChargeService& service) {
  service.priced_flags = ChargeService::is_priced_apart;
  service.priced_group = event.rating_group;
  service.priced_identifier = event.service_identifier;
  if (event.has_rating_group) service.priced_flags |= ledger::service_flag::has_rating_group;
  if (event.has_service_identifier) {
    service.priced_flags |= ledger::service_flag::has_service_identifier;
  }
}

}  // namespace

RequestNormaliser::Result RequestNormaliser::apply(const Input& input, const Written& written,
                                                   diameter::Refusal& refusal) {
  ChargeRequest& head = written.head;
  const MessageAvps avps(input);
  const u64 context = rating::context_key(as_text(input.request.service_context_id));
  rules_.look(avps, context, input.now);
  const bool begins = head.kind == RequestKind::initial || head.kind == RequestKind::event;
  Result result;
  for (ChargeService& service : written.services) {
    rating::ChargeEvent event;
    const NormaliseOutcome outcome = rules_.apply(
        {.rating_group = service.rating_group,
         .service_identifier = service.service_identifier,
         .has_rating_group = (service.flags & ledger::service_flag::has_rating_group) != 0,
         .has_service_identifier =
             (service.flags & ledger::service_flag::has_service_identifier) != 0},
        event);
    if (outcome == NormaliseOutcome::unchanged) continue;
    if (outcome != NormaliseOutcome::ok) {
      if (begins) {
        tell_culprit(input.message, rules_.culprit(), refusal);
        return {.reason = outcome, .is_refused = true};
      }
      service.priced_flags |= ChargeService::is_without_rule;
      result.is_priced_as_came |= service.used_kinds != 0;
      if (wants_grant(head, service)) result.reason = outcome;
      continue;
    }
    take_price_key(event, service);
    // A session is of one service, the first's; so are its numbers.
    if (&service != written.services.data()) continue;
    if (begins) head.service_context = event.service_context;
    set_numbers(event, written.numbers);
  }
  return result;
}

}  // namespace tollgate::app
