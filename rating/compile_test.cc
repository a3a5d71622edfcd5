// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/compile.hh"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "rating/image.hh"

namespace tollgate::rating {
namespace {

Compiled compile_text(std::string_view text) {
  const TariffText file{"t", std::string(text)};
  return compile({&file, 1});
}

// All mistakes, one a line: "line:column message".
std::string mistakes(std::string_view text) {
  std::string all;
  for (const Diagnostic& diagnostic : compile_text(text).diagnostics) {
    all += fmt::format("{}:{} {}\n", diagnostic.line, diagnostic.column, diagnostic.message);
  }
  return all;
}

struct Row {
  std::string_view text;
  std::string_view mistakes;
};

TEST(CompileTest, WordsAndSymbolsThatDoNotBelong) {
  for (const Row& row : {
           Row{"", "0:0 holds no plan\n"},
           Row{"plan", "1:5 found the end of the file, expected the name of the plan\n"},
           Row{"plan p",
               "1:7 found the end of the file, expected '{' and the statements of a plan\n"},
           Row{"plan p { currency EUR",
               "1:22 found the end of the file, expected '}' that closes the '{' at t:1\n"},
           Row{"plan p { currency EUR }\n}", "2:1 found '}', expected a plan or an example\n"},
           Row{"plan p { currency EUR extra }",
               "1:23 found 'extra', expected the end of the statement\n"},
           Row{"plan p { currency EUR\n balance \"1\n}",
               "2:10 found a text without end, expected '\"' on the same line\n"
               "2:11 found the text \"1\", expected the balance that an account begins with\n"},
           Row{"plan p { currency EUR; balance -1EUR }",
               "1:32 found '-', expected a word, a number, a text or one of { } , ;\n"},
           Row{"language 2\nplan p { currency EUR }", "1:10 found language 2, expected 1\n"},
           Row{"plan p { currency EUR; currency EUR }",
               "1:24 'currency' stands twice here; the first is at t:1\n"},
           Row{"plan p { currency EUR }\nplan p { currency EUR }",
               "2:6 found plan 'p' twice; the first is at t:1\n"},
       }) {
    EXPECT_EQ(mistakes(row.text), row.mistakes) << row.text;
  }
}

// A rule of the data service of a plan in EUR, on line 3 from column 1 on.
std::string mistakes_of_rule(std::string_view rule) {
  return mistakes(fmt::format("plan p {{ currency EUR\nservice data {{\n{}\n}} }}", rule));
}

// `min` is a unit and a word: after a quantity that has its unit it is the word.
TEST(CompileTest, AGrantHasALeastAndAMost) {
  EXPECT_EQ(mistakes_of_rule("rule default free { grant 10MB min 1MB max 20MB }"), "");
  EXPECT_EQ(mistakes_of_rule("rule default free { grant 10MB min 1MB; validity 10 min }"), "");
}

TEST(CompileTest, RulesThatCannotBe) {
  for (const Row& row : {
           Row{"rule default",
               "3:13 found the end of the line, expected '{' and the statements of "
               "a rule, or free, or barred\n"},
           Row{"rule default { }",
               "3:6 found a rule without a price, expected 'price', free or barred\n"},
           Row{"rule default { price 0.01EUR }",
               "3:22 found a price without a block, expected 'per' and a block\n"},
           Row{"rule default { price 0.01USD per 1MB }",
               "3:22 found 0.01USD, expected a price in EUR, the currency of the plan\n"},
           Row{"rule default { price 0.01EUR per 1s }",
               "3:34 found 1s, expected a block in octets: the rule measures volume\n"},
           Row{"rule default { price 0.01EUR per 0MB }",
               "3:34 found 0octets, expected a block from 1octets to 1125899906842624octets\n"},
           Row{"rule default { price 0.0000001EUR per 1MB }",
               "3:22 found '0.0000001EUR', expected "
               "a price\n"},
           Row{"rule default { price first 10MB 0.01EUR per 3MB then 0.02EUR per 1MB }",
               "3:28 found 10000000octets, expected a multiple of its block of 3000000octets\n"},
           Row{"rule default { price first 10MB 0.01EUR }",
               "3:22 found no price for what follows, expected 'then' and a price\n"},
           Row{"rule default { price 0.01EUR per 1MB then free }",
               "3:22 found a price without end before another, expected 'first' or 'next'\n"},
           Row{"rule default { pay with octets; price 0.01EUR per 1MB }",
               "3:39 found a price, but no money in 'pay with'\n"},
           Row{"rule default { pay with seconds then EUR; price 0.01EUR per 1MB }",
               "3:25 found seconds, expected how much of it pays for a block of octets\n"},
           Row{"rule default { pay with EUR then EUR; price 0.01EUR per 1MB }",
               "3:34 found EUR twice in one 'pay with'\n"},
           Row{"rule default free { price 0.01EUR per 1MB }",
               "3:27 found 'price' in a rule that is free\n"},
           Row{"rule default free\nrule default barred",
               "4:6 found a second default rule; the first is at t:3\n"},
           Row{"rule group 1, 2 free\nrule group 2 free",
               "4:12 found a second rule for the same; the first is at t:3\n"},
           Row{"rule group 4294967296 free",
               "3:12 found '4294967296', expected a rating group: a whole number from 0 to "
               "4294967295\n"},
           Row{"rule default free { grant 10MB max 5MB }",
               "3:6 found a grant of 10000000octets in this rule, above its max of "
               "5000000octets\n"},
           Row{"rule default free { threshold 100% }",
               "3:31 found '100%', expected a whole share of the grant, from 0% to 99%\n"},
           Row{"rule default free { validity 1MB }",
               "3:30 found '1MB', expected a duration in whole seconds, such as 90s, 10min, 1h or "
               "30d\n"},
           Row{"rule default free { final redirect }",
               "3:36 found '}', expected an address in quotes\n"},
           Row{"rule default { price 0.01EUR per 1MB; round sideways }",
               "3:45 found 'sideways', expected one of up, down, half_up, half_even, exact\n"},
       }) {
    EXPECT_EQ(mistakes_of_rule(row.text), row.mistakes) << row.text;
  }
}

TEST(CompileTest, ServicesAndBucketsThatCannotBe) {
  for (const Row& row : {
           Row{"service dat { rule default free }",
               "2:9 found 'dat', expected a service: data, voice, sms, mms or \"a service "
               "context\"\n"},
           Row{"service \"x@y\" { rule default free }",
               "2:9 nothing says what service 'x@y' is measured by\n"},
           Row{"service data, voice { rule default free }",
               "2:9 nothing says what service 'data' is measured by\n"},
           Row{"service data { }", "2:9 service 'data' has no rule\n"},
           Row{"service \"8.32251@3gpp.org\" { meter volume; rule default free }",
               "2:9 found context \"8.32251@3gpp.org\", expected \"32251@3gpp.org\"\n"},
           Row{"service data { rule default free }\nservice \"32251@3gpp.org\" { meter volume; "
               "rule default free }",
               "3:9 found '32251@3gpp.org' twice in one plan; the first is at t:2\n"},
           Row{"allowance 1GiB",
               "2:11 found an allowance of octets that no rule of the plan pays with\n"},
           Row{"allowance 1EUR",
               "2:11 found '1EUR', expected an amount of octets, time or "
               "events\n"},
           Row{"balance 1USD", "2:9 found USD, expected EUR, the currency of the plan\n"},
           Row{"balance 1EUR priority 256", "2:23 found 256, expected a priority from 0 to 255\n"},
       }) {
    EXPECT_EQ(mistakes(fmt::format("plan p {{ currency EUR\n{}\n}}", row.text)), row.mistakes);
  }
}

TEST(CompileTest, EveryMistakeIsToldAndNothingIsLoaded) {
  const Compiled compiled = compile_text(
      "plan good { currency EUR; service sms { rule default free } }\n"
      "plan bad {\n"
      "  curency EUR\n"
      "  service data {\n"
      "    rule grup 1 { prise 1EUR per 1MB }\n"
      "    rule group 2 { price 1EUR per }\n"
      "  }\n"
      "}\n"
      "exmple \"x\" { }\n");
  std::string all;
  for (const Diagnostic& diagnostic : compiled.diagnostics) all += to_text(diagnostic) + "\n";
  EXPECT_EQ(
      all,
      "t:3:3: found 'curency', expected a statement of a plan: currency, balance, allowance, "
      "service, timezone, counter, exchange, bonus, sessions, origin, destination, network, "
      "discount, "
      "tax, "
      "grant, threshold, validity, holding, final (hint: did you mean 'currency'?)\n"
      "t:5:10: found 'grup', expected what the rule is for: group N, identifier N or default "
      "(hint: a name of a rule stands in quotes)\n"
      "t:5:19: found 'prise', expected a statement of a rule: meter, price, round, setup, pay, "
      "discount, tax, minimum, cap, limit, steps, restart, grant, threshold, validity, holding, "
      "final (hint: did you mean 'price'?)\n"
      "t:6:35: found '}', expected a block, such as 1MB, 100KiB, 60s or 1event\n"
      "t:9:1: found 'exmple', expected a statement of a tariff file: language, plan, product, "
      "example, zones, calendar, band, timezone (hint: did you mean 'example'?)\n");
  EXPECT_TRUE(compiled.image.empty());
}

TEST(CompileTest, AnExampleThatDoesNotComeOutIsAMistake) {
  constexpr std::string_view plan =
      "plan p { currency EUR; service sms { rule default { price 0.10EUR } rule group 1 free } }\n";
  for (const Row& row : {
           Row{"plan p; service sms; use 2event; expect cost 0.20EUR", ""},
           Row{"plan p; service sms; use 2event; expect cost 0.30EUR",
               "2:9 example \"x\" expects a cost of 0.30EUR, but it is 0.20EUR\n"},
           Row{"plan p; service sms; use 2event; have 0.15EUR; expect covered 1event", ""},
           Row{"plan p; service sms; use 2event; have 0.15EUR; expect covered 2event",
               "2:9 example \"x\" expects 2events to be covered, but it is 1events\n"},
           Row{"plan p; service sms; group 1; expect barred",
               "2:9 example \"x\" expects barred, but the service is free\n"},
           Row{"plan q; service sms; expect free",
               "2:9 example \"x\" names 'q', which is no plan\n"},
           Row{"plan p; service sms; use 1s; expect cost 0EUR", "2:9 example \"x\" has no price\n"},
           Row{"plan p; service sms", "2:9 example \"x\" expects nothing\n"},
           Row{"service sms; expect free", "2:9 example \"x\" names no plan or no service\n"},
       }) {
    EXPECT_EQ(mistakes(fmt::format("{}example \"x\" {{ {} }}", plan, row.text)), row.mistakes);
  }
}

TEST(CompileTest, SamplesAreGood) {
  const Compiled compiled = compile_path(TARIFF_SAMPLES);
  for (const Diagnostic& diagnostic : compiled.diagnostics) ADD_FAILURE() << to_text(diagnostic);
  EXPECT_GE(compiled.plan_count, 2U);
  EXPECT_GE(compiled.example_count, 10U);
  EXPECT_EQ(validate(compiled.image), ImageFault::none);
}

TEST(CompileTest, WhatCannotBeReadIsAMistake) {
  const Compiled compiled = compile_path("/nowhere/at.all");
  ASSERT_EQ(compiled.diagnostics.size(), 1U);
  EXPECT_EQ(to_text(compiled.diagnostics[0]),
            "/nowhere/at.all: cannot be read (hint: does it exist, may we read it?)");
}

TEST(CompileTest, TheSameTextIsTheSameVersion) {
  const auto version = [](std::string_view price) {
    const Compiled compiled = compile_text(fmt::format(
        "plan p {{ currency EUR; service sms {{ rule default {{ price {} }} }} }}", price));
    return Image(compiled.image).version();
  };
  EXPECT_EQ(version("0.10EUR"), version("0.10EUR"));
  EXPECT_NE(version("0.10EUR"), version("0.11EUR"));
}

// Ten thousand rules take a moment, not minutes.
TEST(CompileTest, ManyRules) {
  std::string text = "plan p { currency EUR; service data {\n";
  for (int i = 0; i < 10'000; ++i) {
    text += fmt::format("rule group {} {{ price 0.01EUR per {}KiB }}\n", i, i + 1);
  }
  const Compiled compiled = compile_text(text + "} }");
  ASSERT_TRUE(compiled.is_good());
  const Image image(compiled.image);
  for (u64 i = 0; i < 10'000; ++i) {
    const Rule* rule = nullptr;
    ASSERT_EQ(image.find_rule({plan_id("p"), 32251, i}, {}, rule), Found::rule);
    ASSERT_EQ(rule->step[0].block.count, static_cast<i64>((i + 1) * 1024));
  }
}

// What belongs elsewhere, or is not there, is said where it is written.
TEST(CompileTest, WordsOfOtherSystemsAreRefusedByName) {
  const TariffText text{"a.tariff", "plan p {\n  currency EUR\n  fee 5.00EUR per month\n}\n"};
  const Compiled fee = compile({&text, 1});
  ASSERT_FALSE(fee.diagnostics.empty());
  EXPECT_EQ(fee.diagnostics[0].line, 3u);
  EXPECT_EQ(fee.diagnostics[0].column, 3u);
  EXPECT_NE(fee.diagnostics[0].hint.find("fees belong to a product"), std::string::npos);
  const TariffText other{"b.tariff", "package gold { plan p }\n"};
  const Compiled package = compile({&other, 1});
  ASSERT_FALSE(package.diagnostics.empty());
  EXPECT_NE(package.diagnostics[0].hint.find("a product that 'includes' others"),
            std::string::npos);
}

TEST(CompileTest, SharedCountersAgree) {
  constexpr std::string_view plan =
      "plan {} {{ currency EUR\ncounter c octets per {} shared\ncounter own octets\n"
      "service data {{ rule default {{ steps by c; price 1EUR per 1MB }} }} }}\n";
  const std::string first = fmt::format(plan, "p", "month");
  EXPECT_EQ(mistakes(first + fmt::format(plan, "q", "month")), "");
  EXPECT_EQ(mistakes(first + fmt::format(plan, "q", "day")),
            "6:9 found the shared counter 'c' with another unit or period than at t:2\n");
  EXPECT_EQ(mistakes("plan p { currency EUR\ncounter c octets\ncounter c octets shared\n"
                     "service sms { rule default { price 1EUR } } }"),
            "3:9 found counter 'c' twice, or another that has its number\n");
}

// Files as editors and other systems leave them.
TEST(CompileTest, OctetsThatAreNoText) {
  const auto named = [](std::string_view name,
                        std::string_view rules = "rule default { price 1EUR }") {
    return fmt::format("plan \"{}\" {{ currency EUR\r\nservice sms {{ {} }} }}\r\n", name, rules);
  };
  EXPECT_EQ(mistakes(named("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80")), "");
  EXPECT_EQ(mistakes("\xef\xbb\xbf" + named("p")), "");
  EXPECT_EQ(mistakes("\xef\xbb\xbf" + named("p", "rule default { prise 1EUR }")).substr(0, 20),
            "2:30 found 'prise', ");
  EXPECT_EQ(mistakes(named("caf\xe9")), "1:10 found octet 0xe9 in a text, expected UTF-8\n");
  EXPECT_EQ(mistakes(named("\xc3") + named("\xed\xa0\x80") + named("\xc0\xaf") +
                     named("\xf5\x80\x80\x80")),
            "1:7 found octet 0xc3 in a text, expected UTF-8\n"
            "3:7 found octet 0xed in a text, expected UTF-8\n"
            "5:7 found octet 0xc0 in a text, expected UTF-8\n"
            "7:7 found octet 0xf5 in a text, expected UTF-8\n");
  EXPECT_EQ(mistakes("# caf\xe9 in a comment is nobody's name\n" + named("p")), "");
}

TEST(CompileTest, EachMistakeIsToldOnce) {
  EXPECT_EQ(
      mistakes(
          "plan p { currency EUR\nservice data { rule default { grant 10; price 1EUR per 1MB } }\n"
          "service data { rule default free } }"),
      "2:37 found '10', expected a quantity, such as 10MiB, 60s or 1event\n"
      "3:9 found 'data' twice in one plan; the first is at t:2\n");
  EXPECT_EQ(mistakes("plan p { currency EUR\nservice data { rule default free }\n"
                     "service data { rule default free } }"),
            "3:9 found 'data' twice in one plan; the first is at t:2\n");
  EXPECT_EQ(mistakes("plan p { currency EUR; service sms { rule default free } }\n"
                     "example \"e\" { plan q; service sms; use 1event; expect free }"),
            "2:9 example \"e\" names 'q', which is no plan\n");
}

TEST(CompileTest, CountersOfProductsAreMovedByThoseWhoHaveThem) {
  const auto with = [](std::string_view rules, std::string_view plan = "") {
    return mistakes(
        fmt::format("plan p {{ currency EUR\ncounter c octets per product gold\n"
                    "counter m EUR per product gold\n{}\nservice data {{ {} }} }}\n"
                    "product gold {{ plans p }}\nproduct other {{ plans q }}\n"
                    "plan q {{ currency EUR\nservice sms {{ rule default {{ price 1EUR }} }} }}",
                    plan, rules));
  };
  EXPECT_EQ(with("rule default with gold { steps by c; price 1EUR per 1MB; limit 5EUR by m }"), "");
  constexpr std::string_view without = "in a rule that also fits who does not have it\n";
  EXPECT_EQ(with("rule default { steps by c; price 1EUR per 1MB }"),
            fmt::format("5:40 found counter 'c' of product 'gold' {}", without));
  EXPECT_EQ(with("rule default with gold, other { price 1EUR per 1MB; cap 5EUR by m }"),
            fmt::format("5:40 found product 'other', which is not for plan 'p'\n"
                        "5:80 found counter 'm' of product 'gold' {}",
                        without));
  constexpr std::string_view usual = "rule default { price 1EUR per 1MB }";
  EXPECT_EQ(with(usual, "counter d octets per product gol"),
            "4:30 found 'gol', expected a product\n");
  EXPECT_EQ(with(usual, "counter d octets per product other"),
            "4:30 found product 'other', which is not for plan 'p'\n");
  EXPECT_EQ(with(usual, "counter d octets per product gold shared"),
            "4:35 found 'shared', expected the end of a counter of a product\n");
  EXPECT_EQ(with(usual, "counter d octets per year"),
            "4:22 found 'year', expected one of day, week, month, product\n");
}

}  // namespace
}  // namespace tollgate::rating
