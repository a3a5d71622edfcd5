// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Zones, time bands, terms, counters and currencies from text to price; and what is wrong with
// them.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "rating/compile.hh"
#include "rating/diff.hh"
#include "rating/explain.hh"
#include "rating/format.hh"
#include "rating/price.hh"
#include "rating/stretch.hh"

namespace tollgate::rating {
namespace {

constexpr std::string_view world = R"(timezone "Europe/Stockholm"
zones numbers {
  zone nordic 45, 46, 47, 358
  zone europe 33, 44, 49
  zone premium 46900
}
zones networks {
  zone home 24001, 24002
  zone eu 208, 262
}
calendar se {
  day 12-24, 12-25, 2026-04-03
  easter
  after easter 1
}
band night { every 20:00-06:00 }
band weekend { on sat, sun, se }
)";

constexpr std::string_view plan = R"(plan p {
  currency EUR
  tax 25% exclusive
  counter used octets per month
  counter spent EUR per day
  exchange 1USD 0.92EUR half_up
  service voice {
    destination numbers
    rule "far" default { price 0.80EUR per 1min }
    rule "home" default to nordic { setup 0.04EUR; price 0.40EUR per 1min }
    rule "evening" default to nordic during night { setup 0.04EUR; price 0.20EUR per 1min }
    rule "free days" default to nordic during weekend priority 1 free
    rule "premium" default to premium barred
    rule "europe" default to europe { discount 10%; price 0.80EUR per 1min; minimum 0.20EUR }
  }
  service data {
    network networks
    rule default { price 8EUR per 1MB; limit 50EUR by spent }
    rule default in home { steps by used
      price first 1GB 0.0008EUR per 1MB then 0.0004EUR per 1MB; cap 2EUR by spent }
    rule default in eu { pay with EUR then USD; price 0.0016EUR per 1MB }
  }
  service sms {
    rule default { tax 0% inclusive; price first 9events 0.10EUR per 1event then free
      restart after 10events }
  }
}
)";

constexpr std::string_view examples = R"(
example "a call to Sweden by day: 0.04 + 2 x 0.40, and a quarter more" {
  plan p; service voice; to 46701234567; at 2026-11-23T12:00
  use 61s
  expect cost 1.05EUR
}
example "from day into night: the begun minute is paid, then 0.20" {
  plan p; service voice; to 46701234567; at 2026-11-23T19:59:30
  use 61s
  expect cost 0.80EUR        # 1.25 x (0.04 + 0.40) + 1.25 x 0.20
}
example "the same in pieces" {
  plan p; service voice; to 46701234567; at 2026-11-23T19:59:30
  use 10s then 40s then 11s
  expect cost 0.80EUR
}
example "from Saturday's end on it costs again" {
  plan p; service voice; to 46701234567; at 2026-11-22T23:59:30
  use 61s
  expect covered 61s
  expect cost 0.30EUR        # 30 s are free; then 31 s at night: 1.25 x (0.04 + 0.20)
}
example "a holiday" {
  plan p; service voice; to 46701234567; at 2026-12-24T12:00
  use 1h
  expect free
}
example "Easter Monday" {
  plan p; service voice; to 45123; at 2026-04-06T12:00
  use 1h
  expect free
}
example "premium numbers are barred, whatever the day" {
  plan p; service voice; to 4690012345; at 2026-12-24T12:00
  expect barred
}
example "the discount, then the tax: 0.80 x 0.9 x 1.25" {
  plan p; service voice; to 4412345; at 2026-11-23T12:00
  use 1s
  expect cost 0.90EUR
}
example "elsewhere" {
  plan p; service voice; to 12125551212; at 2026-11-23T12:00
  use 1s
  expect cost 1.00EUR
}
example "the last 100 MB of the month's first GB, then 100 MB at half the price" {
  plan p; service data; in 24001; counted used 900MB
  use 200MB
  expect cost 0.15EUR       # 1.25 x (100 x 0.0008 + 100 x 0.0004)
}
example "today's cap" {
  plan p; service data; in 24001; counted spent 1.95EUR
  use 5GB
  expect cost 0.05EUR
}
example "the limit abroad" {
  plan p; service data; in 310410; counted spent 29.99EUR
  use 3MB
  expect covered 2MB
  expect cost 20EUR
}
example "first euros, then dollars: 1.25 x 0.0016 = 0.002 a MB" {
  plan p; service data; in 20801
  have 0.92EUR, 5.00USD
  use 920MB
  expect cost 0.92EUR, 1.00USD
}
example "every tenth message is free" {
  plan p; service sms
  use 21events
  expect cost 1.90EUR
}
)";

Compiled compile_text(const std::string& text) {
  const TariffText file{"t.tariff", text};
  return compile({&file, 1});
}

std::string whole() {
  return std::string(world) + std::string(plan);
}

TEST(TariffTest, EveryExampleComesOut) {
  const Compiled compiled = compile_text(whole() + std::string(examples));
  for (const Diagnostic& wrong : compiled.diagnostics) ADD_FAILURE() << to_text(wrong);
  EXPECT_EQ(compiled.example_count, 14U);
}

TEST(TariffTest, AnExampleThatDoesNotComeOutIsRefused) {
  const Compiled compiled = compile_text(whole() + R"(
example "wrong" { plan p; service sms; use 10events; expect cost 1.00EUR }
example "when" { plan p; service voice; to 46701; use 1s; expect cost 0.55EUR }
)");
  ASSERT_EQ(compiled.diagnostics.size(), 2U);
  EXPECT_TRUE(compiled.image.empty());
  EXPECT_EQ(compiled.diagnostics[0].message,
            "example \"wrong\" expects a cost of 1.00EUR, but it is 0.90EUR");
  EXPECT_EQ(compiled.diagnostics[1].message,
            "example \"when\" says no moment, but the price depends on it");
}

// What an example says of a counter must be able to be.
TEST(TariffTest, CountersThatAnExampleSpeaksOf) {
  const auto told = [](std::string_view statements) {
    const Compiled compiled = compile_text(fmt::format(
        "plan p {{ currency EUR; counter used octets; counter packed octets per product pack\n"
        "service data {{ rule default {{ price 1EUR per 1MB }}\n"
        "rule default with pack {{ steps by packed; price first 5MB 2EUR per 1MB then free }} }} "
        "}}\n"
        "product pack {{ plans p; fee 1EUR }}\nproduct all {{ plans p; fee 2EUR; includes pack }}\n"
        "example \"e\" {{ plan p; service data; {} }}\n",
        statements));
    std::string all;
    for (const Diagnostic& wrong : compiled.diagnostics) all += wrong.message + "\n";
    return all;
  };
  EXPECT_EQ(told("with pack; counted packed 4MB; use 2MB; expect cost 2EUR"), "");
  EXPECT_EQ(told("with all; counted packed 4MB; use 2MB; expect cost 2EUR"), "");
  EXPECT_EQ(told("with pack; counted packet 4MB; use 2MB; expect cost 2EUR"),
            "example \"e\" says what 'packet' stands at, which is no counter of plan 'p'\n");
  EXPECT_EQ(told("counted used 4EUR; use 2MB; expect cost 2EUR"),
            "example \"e\" says that counter 'used' stands at 4.00EUR, but it counts octets\n");
  EXPECT_EQ(told("counted packed 4MB; use 2MB; expect cost 2EUR"),
            "example \"e\" says what counter 'packed' stands at, which is nothing without product "
            "'pack'\n");
}

// All mistakes of `text` after the shared part, "line message", lines counted from its own first.
std::string mistakes(std::string_view text) {
  const auto lines = static_cast<u32>(std::ranges::count(world, '\n'));
  std::string all;
  const Compiled compiled = compile_text(std::string(world) + std::string(text));
  for (const Diagnostic& wrong : compiled.diagnostics) {
    all += fmt::format("{} {}\n", wrong.line - lines, wrong.message);
  }
  return all;
}

std::string mistakes_of_voice(std::string_view rules) {
  return mistakes(
      fmt::format("plan p {{ currency EUR; counter used octets; counter spent EUR\n"
                  "service voice {{ destination numbers\n{}\n}} }}",
                  rules));
}

struct Row {
  std::string_view text;
  std::string_view mistakes;
};

TEST(TariffTest, ConditionsThatCannotBe) {
  for (const Row& row : {
           Row{"rule default to nordik free",
               "3 found 'nordik', expected one of the zones at "
               "t.tariff:2\n"},
           Row{"rule default from nordic free",
               "3 found 'from nordic', but nothing says which zones the number is looked up in\n"},
           Row{"rule default during nigth free", "3 found 'nigth', expected a time band\n"},
           Row{"rule default to nordic free\nrule default during night barred",
               "4 found a rule and the one at t.tariff:20 that fit the same request, and neither "
               "is "
               "the more particular\n"},
           Row{"rule default to nordic free\nrule default during night priority 1 barred", ""},
           Row{"rule default to nordic free\nrule default to nordic barred",
               "4 found a second default rule; the first is at t.tariff:20\n"},
           Row{"rule group 1 to nordic free\nrule group 1 to nordic, europe priority 1 barred\n"
               "rule default free",
               "3 found a rule that never counts: others fit all that it fits\n"},
       }) {
    const std::string got = mistakes_of_voice(row.text);
    std::string expected(row.mistakes);
    EXPECT_EQ(got, expected) << row.text;
  }
}

TEST(TariffTest, TermsThatCannotBe) {
  for (const Row& row : {
           Row{"rule default { price 0.1EUR per 1min; discount 100% }",
               "3 found a discount of everything, expected less than 100%\n"},
           Row{"rule default { price 0.1EUR per 1min; discount 1.234% }",
               "3 found '1.234%', expected what is taken off as a percentage, such as 10% or "
               "12.5%\n"},
           Row{"rule default { price 0.1EUR per 1min; tax 25% }",
               "3 found '}', expected one of inclusive, exclusive\n"},
           Row{"rule default { price 0.1EUR per 1min; cap 1EUR; minimum 2EUR }",
               "3 found a cap below the minimum\n"},
           Row{"rule default { price 0.1EUR per 1min; limit 1EUR }",
               "3 found a limit without a counter, expected 'by' and one\n"},
           Row{"rule default { price 0.1EUR per 1min; limit 1EUR by used }",
               "3 found a counter of octets, expected one of EUR\n"},
           Row{"rule default { price 0.1EUR per 1min; steps by spend }",
               "3 found 'spend', expected a counter of the plan\n"},
           Row{"rule default { price 0.1EUR per 1min; restart after 90s }",
               "3 found 90s, expected an end of the last step: 0s and a multiple of 60s\n"},
           Row{"rule default { price 0.1EUR per 1min; pay with USD }",
               "3 found a price, but no money in 'pay with'\n"
               "3 found USD, expected EUR, the currency of the plan\n"},
           Row{"rule default free { minimum 1EUR }", "3 found 'minimum' in a rule that is free\n"},
       }) {
    EXPECT_EQ(mistakes_of_voice(row.text), row.mistakes) << row.text;
  }
}

TEST(TariffTest, ZonesCalendarsAndBandsThatCannotBe) {
  const std::string_view after = "plan p { currency EUR; service sms { rule default free } }";
  for (const Row& row : {
           Row{"zones more { zone a 1, 12; zone b 12 }",
               "1 found a prefix twice in zones 'more'; the first is at t.tariff:18\n"},
           Row{"zones numbers { zone a 1 }",
               "1 found zones 'numbers' twice; the first is at "
               "t.tariff:2\n"},
           Row{"zones more { zone a +46 }",
               "1 found '+', expected a word, a number, a text or one of { } , ;\n"},
           Row{"calendar c { day 02-30 }",
               "1 found '02-30', expected a date, such as 2026-12-24, or 12-24 for that of each "
               "year\n"},
           Row{"band b { every 20:00-25:00 }",
               "1 found '20:00-25:00', expected hours, such as 08:00-18:00, or 20:00-06:00 into "
               "the "
               "next day\n"},
           Row{"band b { on sunday }",
               "1 found 'sunday', expected a day of the week or a calendar\n"},
           Row{"band b { }", "1 band 'b' has no hours\n"},
       }) {
    EXPECT_EQ(mistakes(fmt::format("{}\n{}", row.text, after)), row.mistakes) << row.text;
  }
  EXPECT_EQ(mistakes("plan p { currency EUR; timezone \"Europe/Atlantis\"\n"
                     "service sms { rule default free } }"),
            "1 found \"Europe/Atlantis\", expected a time zone\n");
}

TEST(TariffTest, FilesOfPrefixesAreZones) {
  const std::vector<TariffText> texts = {
      {"a/prices.tariff",
       "plan p { currency EUR; service voice { destination world\n"
       "rule default to nordic { price 1EUR per 1s }\nrule default free } }\n"
       "example \"e\" { plan p; service voice; to 4711; use 1s; expect cost "
       "1EUR }"},
      {"a/world.prefixes", "# prefix, zone\n46,nordic\n47,nordic\r\n\n1,america\n"}};
  for (const Diagnostic& wrong : compile(texts).diagnostics) ADD_FAILURE() << to_text(wrong);
  const std::vector<TariffText> bad = {texts[0], {"a/world.prefixes", "46;nordic\n46,a\n46,b\n"}};
  std::string all;
  for (const Diagnostic& wrong : compile(bad).diagnostics) all += to_text(wrong) + "\n";
  EXPECT_EQ(
      all,
      "a/prices.tariff:2:17: found 'nordic', expected one of the zones at a/world.prefixes:1\n"
      "a/world.prefixes:1:1: found a line that is no prefix and zone (hint: for example: "
      "4670,nordic)\n"
      "a/world.prefixes:3:1: found a prefix twice in zones 'world'; the first is at "
      "a/world.prefixes:2\n");
  const std::vector<TariffText> odd = {texts[0],
                                       {"a/world.prefixes",
                                        "\xef\xbb\xbf"
                                        "46, nordic \n47,  nordic\n48,caf\xe9\n49,caf\xe9\n"}};
  all.clear();
  for (const Diagnostic& wrong : compile(odd).diagnostics) all += to_text(wrong) + "\n";
  EXPECT_EQ(all,
            "a/world.prefixes:3:4: found the name of a zone that is not UTF-8 (hint: save the file "
            "as UTF-8)\n");
}

TEST(TariffTest, TheSamplesAreGood) {
  const std::filesystem::path folder = std::filesystem::path(TARIFF_SAMPLES) / "../samples";
  int samples = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const Compiled compiled = compile_path(entry.path().string());
    for (const Diagnostic& wrong : compiled.diagnostics) ADD_FAILURE() << to_text(wrong);
    EXPECT_GE(compiled.example_count, 5U) << entry.path();
    ++samples;
  }
  EXPECT_EQ(samples, 4);
}

TEST(TariffTest, FormattingChangesNoMeaning) {
  const std::string text = whole() + std::string(examples);
  const std::string once = format_tariff(text);
  EXPECT_EQ(format_tariff(once), once);
  EXPECT_EQ(
      format_tariff("plan p{currency EUR;service sms{\n\n\n# free\nrule default free  # x\n"
                    "} }\n\n"),
      "plan p { currency EUR; service sms {\n\n    # free\n    rule default free  # x\n} }\n");
  const TariffText files[] = {{"t", once}, {"t", text}};
  const Compiled formatted = compile({&files[0], 1});
  const Compiled original = compile({&files[1], 1});
  ASSERT_TRUE(formatted.is_good());
  EXPECT_TRUE(compare(Image(original.image), Image(formatted.image)).empty());
}

TEST(TariffTest, WhenACounterBeginsAnewIsADifference) {
  const auto of = [](std::string_view period) {
    return compile_text(fmt::format(
        "plan p {{ currency EUR; counter used octets {}\nservice data {{ rule default with pack "
        "{{ steps by used; price 1EUR per 1MB }} }} }}\nproduct pack {{ plans p }}\n",
        period));
  };
  const Compiled month = of("per month");
  const Compiled turn = of("per product pack");
  const auto found = compare(Image(month.image), Image(turn.image));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].before, "steps by used per month");
  EXPECT_EQ(found[0].after, "steps by used per product pack");
}

TEST(TariffTest, ADifferenceIsToldWithItsPlan) {
  std::string text = whole();
  const Compiled before = compile_text(text);
  const auto replace = [&](std::string_view what, std::string_view with) {
    text.replace(text.find(what), what.size(), with);
  };
  replace("price 0.40EUR per 1min", "price 0.45EUR per 1min");
  replace("zone europe 33, 44, 49", "zone europe 33, 44, 49, 351");
  replace("rule \"far\" default", "rule \"away\" default");
  const Compiled after = compile_text(text);
  std::string all;
  for (const Difference& one : compare(Image(before.image), Image(after.image))) {
    all += fmt::format("{} {}: {} -> {}\n", one.plan, one.what, one.before.empty() ? "-" : "...",
                       one.after.empty() ? "-" : one.after.substr(0, 36));
  }
  EXPECT_EQ(all,
            "p p/voice/far: ... -> -\n"
            "p p/voice/home: ... -> price 0.45EUR per 60s; cost of 10s: \n"
            "p p/voice/away: - -> meter time; price 0.80EUR per 60s; p\n"
            " zones numbers: ... -> 14 stretches of numbers, 1 of anothe\n");
}

// A call over several bands: in pieces as at once, and the balance buys exactly what it buys.
class CallTest : public testing::Test {
 protected:
  CallTest() : compiled_(compile_text(whole())), image_(compiled_.image) {}

  static RuleKey key() {
    return {.plan = plan_id("p"), .context = 32260, .destination = number_key("46701234567")};
  }
  // Covers `wanted` from `at` on with `available`, stretch by stretch, as a charge core does.
  Coverage call(Instant at, i64 wanted, i64 available) const {
    Coverage sum;
    for (Quantity left{wanted}; left.is_positive();) {
      Match match;
      EXPECT_EQ(image_.find(key(), at, match), Found::rule);
      const Stretch stretch = first_stretch(match, at, left);
      const Amount money[] = {{available - sum.charge[0].cost.count}};
      const Coverage part =
          cover(*match.rule, {.so_far = sum.after,
                              .wanted = stretch.quantity,
                              .available = std::span(money).first(match.rule->source_count)});
      sum.after = part.after;
      sum.covered.count += part.covered.count;
      sum.charge[0].cost.count += part.charge[0].cost.count;
      if (part.missing.is_positive()) break;
      left.count -= stretch.quantity.count;
      at = stretch.end;
    }
    return sum;
  }

  Compiled compiled_;
  Image image_;
};

TEST_F(CallTest, TheBalanceBuysExactlyWhatItBuysOverAllBands) {
  std::mt19937_64 random(3);
  const i64 monday = 1'795'392'000;  // 2026-11-23T00:00Z
  int ended = 0;
  for (int i = 0; i < 3000; ++i) {
    const Instant at =
        Instant{(monday * 1000 + static_cast<i64>(random() % 604'800'000)) * 1'000'000};
    const i64 balance = static_cast<i64>(random() % 200'000'000);
    const i64 wanted = static_cast<i64>(random() % 100'000'000);
    const Coverage got = call(at, wanted, balance);
    ASSERT_LE(got.charge[0].cost.count, balance);
    const Coverage free_purse = call(at, got.covered.count, INT64_MAX);
    ASSERT_EQ(free_purse.covered, got.covered);
    ASSERT_EQ(free_purse.charge[0].cost, got.charge[0].cost);
    if (got.covered.count == wanted) continue;
    ++ended;
    ASSERT_GT(call(at, got.covered.count + 1, INT64_MAX).charge[0].cost.count, balance) << i;
  }
  EXPECT_GT(ended, 500);
}

TEST_F(CallTest, TheNextChangeIsThatOfThisRequest) {
  Match match;
  Instant noon;
  ASSERT_TRUE(parse_rfc3339("2026-11-23T11:00:00Z", noon));
  ASSERT_EQ(image_.find(key(), noon, match), Found::rule);
  EXPECT_EQ(image_.text(match.rule->name), "p/voice/home");
  EXPECT_EQ(to_rfc3339(match.until), "2026-11-23T19:00:00.000Z");
  // For a number that no rule with a band fits, nothing changes for at least a week.
  RuleKey far = key();
  far.destination = number_key("12125551212");
  ASSERT_EQ(image_.find(far, noon, match), Found::rule);
  EXPECT_EQ(image_.text(match.rule->name), "p/voice/far");
  EXPECT_GT(match.until - noon, Duration::seconds(3 * 86'400));
  far.destination = number_absent;
  ASSERT_EQ(image_.find(far, noon, match), Found::rule);
  EXPECT_EQ(image_.text(match.rule->name), "p/voice/far");
}

}  // namespace
}  // namespace tollgate::rating
