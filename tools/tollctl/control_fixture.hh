// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// ControlTest: tollctl's words to a control with a fake charge tile, for tests.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/fake_appliance.hh"
#include "tools/tollctl/client.hh"
#include "tools/tollctl/command_line.hh"

namespace tollgate::tollctl {

class ControlTest : public testing::Test {
 protected:
  ControlTest() = default;
  explicit ControlTest(u64 accounts_max) : appliance_(accounts_max) {}

  // Throws what control refuses, and anything else if control is ended meanwhile.
  Json call(const std::vector<std::string>& words) {
    const Parsed parsed = parse_command_line(words);
    EXPECT_TRUE(parsed.is_good) << parsed.output;
    Client client(appliance_.options().socket_path);
    return client.call(parsed.line.verb, parsed.line.args);
  }

  // "ok", the name of the refusal, or "cut off". Told what was answered.
  using OnAnswer = std::function<void(const Json&)>;
  std::string outcome_of(const std::vector<std::string>& words, const OnAnswer& on_answer = {}) {
    try {
      const Json told = call(words);
      if (on_answer) on_answer(told);
    } catch (const control::Refused& refused) {
      return refused.outcome;
    } catch (const std::exception&) {
      return "cut off";
    }
    return "ok";
  }

  // Whether the condition holds within half a minute.
  template <class Condition>
  static bool comes(Condition condition) {
    for (int i = 0; i < 3000; ++i) {
      if (condition()) return true;
      ::usleep(10'000);
    }
    return false;
  }

  // A control that waits for answers that are under way when it ends, or one that dies without.
  void start() { control_ = std::make_unique<control::RunningControl>(appliance_.options()); }
  void start_impatient() {
    control::ControlOptions options = appliance_.options();
    options.last_answers_wait = Duration::milliseconds(20);
    control_ = std::make_unique<control::RunningControl>(options);
  }

  control::FakeAppliance appliance_;
  std::unique_ptr<control::RunningControl> control_;
};

}  // namespace tollgate::tollctl
