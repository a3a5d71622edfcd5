// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What the charge core pays for rating: a plan of 100 rules, requests for any of them in any order.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <array>
#include <map>
#include <random>
#include <vector>

#include "base/check.hh"
#include "rating/compile.hh"
#include "rating/image.hh"
#include "rating/price.hh"

namespace tollgate::rating {
namespace {

constexpr std::size_t request_count = 4096;
constexpr std::size_t burst = 32;

struct Request {
  RuleKey key;
  UsageSoFar so_far;
  Quantity used;
};

struct Scene {
  Compiled compiled;
  Image image;
  std::vector<Request> requests;
};

Scene make_scene(int plans) {
  std::string text;
  for (int plan = 0; plan < plans; ++plan) {
    text += fmt::format("plan p{} {{ currency EUR; service data {{\n", plan);
    for (int group = 0; group < 100; ++group) {
      text += fmt::format(
          "rule group {} {{ pay with octets then EUR; price first 10MB 0.02EUR per 1MB then "
          "0.01EUR per {}KiB }}\n",
          group, 50 + group);
    }
    text += "} }\n";
  }
  const TariffText file{"bench", std::move(text)};
  Scene scene;
  scene.compiled = compile({&file, 1});
  check(scene.compiled.is_good(), "the bench's tariff is good");
  scene.image = Image(scene.compiled.image);
  std::mt19937_64 random(42);
  for (std::size_t i = 0; i < request_count; ++i) {
    const u32 plan = plan_id(fmt::format("p{}", random() % static_cast<u64>(plans)));
    const i64 before = static_cast<i64>(random() % 100'000'000);
    const i64 used = static_cast<i64>(random() % 10'000'000);
    scene.requests.push_back({{plan, 32251, random() % 100}, {{before}, {before}}, {used}});
  }
  return scene;
}

// A scene is made once: the benchmark is called several times for one figure.
const Scene& scene_of(i64 plans) {
  static std::map<i64, Scene> scenes;
  const auto known = scenes.find(plans);
  if (known != scenes.end()) return known->second;
  return scenes.emplace(plans, make_scene(static_cast<int>(plans))).first->second;
}

const Rule& rule_of(const Scene& scene, const Request& request) {
  const Rule* rule = nullptr;
  check(scene.image.find_rule(request.key, {}, rule) == Found::rule, "the rule is there");
  return *rule;
}

void find_and_price(benchmark::State& state) {
  const Scene& scene = scene_of(state.range(0));
  std::size_t at = 0;
  i64 sum = 0;
  for (auto _ : state) {
    const Request& request = scene.requests[at++ % request_count];
    const Rule& rule = rule_of(scene, request);
    Amount cost;
    check(price(rule, rule.source[1], request.so_far, request.used, cost) == Outcome::ok, "priced");
    sum += cost.count;
  }
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(find_and_price)->Arg(1)->Arg(1000);

// As the charge core does it: 32 requests at a time, memory fetched ahead.
void burst_find_and_price(benchmark::State& state) {
  const Scene& scene = scene_of(state.range(0));
  std::size_t at = 0;
  i64 sum = 0;
  for (auto _ : state) {
    const Request* requests = &scene.requests[at];
    at = (at + burst) % request_count;
    for (std::size_t i = 0; i < burst; ++i) {
      scene.image.prefetch_service(requests[i].key.plan, requests[i].key.context);
    }
    for (std::size_t i = 0; i < burst; ++i) scene.image.prefetch_rule(requests[i].key);
    std::array<const Rule*, burst> rules{};
    for (std::size_t i = 0; i < burst; ++i) {
      rules[i] = &rule_of(scene, requests[i]);
      prefetch(*rules[i]);
    }
    for (std::size_t i = 0; i < burst; ++i) {
      const Rule& rule = *rules[i];
      Amount cost;
      check(price(rule, rule.source[1], requests[i].so_far, requests[i].used, cost) == Outcome::ok,
            "priced");
      sum += cost.count;
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<i64>(burst));
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(burst_find_and_price)->Arg(1)->Arg(1000);

// A whole request: the rule, the debit of what was used, the next grant; allowance and money.
void debit_and_grant(benchmark::State& state) {
  const Scene& scene = scene_of(1);
  const std::array<Amount, 2> available{Amount{4'000'000}, Amount{state.range(0)}};
  std::size_t at = 0;
  i64 sum = 0;
  for (auto _ : state) {
    const Request& request = scene.requests[at++ % request_count];
    const Rule& rule = rule_of(scene, request);
    const Coverage used =
        cover(rule, {.so_far = request.so_far, .wanted = request.used, .available = available});
    const Coverage next =
        cover(rule, {.so_far = used.after, .wanted = {10'000'000}, .available = available});
    sum += used.covered.count + next.charge[1].cost.count;
  }
  benchmark::DoNotOptimize(sum);
}
// Plenty of money, and the last grant.
BENCHMARK(debit_and_grant)->Arg(1'000'000'000)->Arg(50'000);

}  // namespace
}  // namespace tollgate::rating

BENCHMARK_MAIN();
