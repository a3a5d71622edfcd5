// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// A message of any content: it is classified, decoded and, if refused, answered; the answer must be
// well-formed. One that is accepted is encoded again, and must then be accepted again.
#include <cstring>
#include <vector>

#include "base/check.hh"
#include "diameter/credit_control.hh"
#include "diameter/dispatch.hh"
#include "diameter/session_control.hh"

namespace tollgate::diameter {
namespace {

const OriginBlock origin("ocs.tollgate.example", "tollgate.example");

void check_views(Bytes message, const CreditControlRequest& request) {
  const auto lies_inside = [message](Bytes view) {
    return view.empty() || (view.data() >= message.data() &&
                            view.data() + view.size() <= message.data() + message.size());
  };
  check(lies_inside(request.session_id), "Session-Id lies inside");
  check(lies_inside(request.facts.service_information), "Service-Information lies inside");
  check(lies_inside(request.facts.sms_recipient), "a fact lies inside");
  for (const SubscriptionId& id : request.subscription_ids())
    check(lies_inside(id.data), "Subscription-Id lies inside");
  for (const RequestMscc& mscc : request.mscc()) {
    check(mscc.used_first + mscc.used_count <= request.used_pool_count, "reports lie in the pool");
    check(request.service_identifiers_of(mscc).size() <= service_identifier_count_max,
          "identifiers lie in the pool");
  }
}

void run(std::vector<u8>& message) {
  static CreditControlRequest request;
  static CreditControlRequest again;
  static ReceivedAnswer answer;
  static std::vector<u8> out(1 << 17);
  (void)classify(message);
  (void)decode_answer(message, answer);
  SessionAnswer session;
  (void)decode_session_answer(message, session);
  Refusal refusal;
  if (!decode_credit_control_request(message, request, refusal)) {
    check(refusal.result_code() != ResultCode::none, "a refusal has a code");
    const std::size_t size_bytes = encode_refusal(message, refusal, origin, out);
    if (size_bytes == 0) return;
    check(read_header(out).length_bytes == size_bytes, "an answer is as long as it says");
    AvpCursor cursor(Bytes(out).subspan(header_bytes, size_bytes - header_bytes));
    Avp avp;
    AvpStep step = AvpStep::avp;
    while (step == AvpStep::avp) step = cursor.next(avp);
    check(step == AvpStep::end, "an answer consists of AVPs");
    return;
  }
  check_views(message, request);
  const std::size_t size_bytes = encode_request(request, {}, out);
  check(size_bytes != 0, "what was accepted can be encoded");
  check(decode_credit_control_request(Bytes(out).first(size_bytes), again, refusal),
        "what was encoded is accepted");
  check(again.mscc_count == request.mscc_count, "MSCCs are kept");
  check(again.used_pool_count == request.used_pool_count, "reports are kept");
}

}  // namespace
}  // namespace tollgate::diameter

extern "C" int LLVMFuzzerTestOneInput(const tollgate::u8* data, std::size_t size) {
  using namespace tollgate::diameter;
  if (size < header_bytes || size > 65536) return 0;
  std::vector<tollgate::u8> message(data, data + size);
  run(message);
  return 0;
}
