// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/overload.hh"

#include "diameter/avp.hh"
#include "diameter/avp_ids.hh"
#include "diameter/credit_control.hh"
#include "diameter/header.hh"

namespace tollgate::app {
namespace {

constexpr Duration report_interval = Duration::seconds(1);
// A client keeps to a report for so long, unless it hears of another one before.
constexpr u32 report_validity_seconds = 5;

}  // namespace

void Overload::note_lag(Duration lag, Instant now) {
  if (lag < lag_high) [[likely]] {
    high_since_ = Instant::never();
    is_behind_ = is_behind_ && lag >= lag_low;
    return;
  }
  high_since_ = std::min(high_since_, now);
  is_behind_ = is_behind_ || now - high_since_ >= lag_patience;
}

void Overload::on_time(Instant now) {
  if (now < next_) return;
  next_ = now + report_interval;
  const u64 all = refused_ + begun_;
  const u32 percent = all == 0 ? 0 : static_cast<u32>((refused_ * 100 + all - 1) / all);
  refused_ = begun_ = 0;
  if (percent == report_.reduction_percent && report_.has_report == (percent != 0)) return;
  if (percent == report_.reduction_percent) {
    report_.has_report = false;  // the end has been told for a second
    return;
  }
  ++report_.sequence_number;
  report_.reduction_percent = percent;
  report_.validity_seconds = percent == 0 ? 0 : report_validity_seconds;
  report_.has_report = true;
}

bool begins_something(Bytes message) {
  diameter::Avp type;
  if (!find_first(message.subspan(diameter::header_bytes), diameter::avp::cc_request_type, type) ||
      type.data_bytes() != 4)
    return false;
  const u32 value = type.as_u32();
  return value == static_cast<u32>(diameter::RequestType::initial) ||
         value == static_cast<u32>(diameter::RequestType::event);
}

}  // namespace tollgate::app
