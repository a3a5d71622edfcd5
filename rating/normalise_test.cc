// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/normalise.hh"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <random>

#include "rating/normalise_compile.hh"

namespace tollgate::rating {
namespace {

// A dictionary of a few AVPs.
class Names : public AvpNames {
 public:
  bool find(std::string_view name, AvpPlace, AvpName& found) const override {
    static const std::map<std::string_view, AvpName> known = {
        {"Info", {{873, 10415}, FieldForm::text}},
        {"Called", {{832, 10415}, FieldForm::text}},
        {"Calling", {{831, 10415}, FieldForm::text}},
        {"Network", {{18, 10415}, FieldForm::text}},
        {"Role", {{829, 10415}, FieldForm::number}},
        {"Address", {{1227, 10415}, FieldForm::address}},
        {"Location", {{22, 10415}, FieldForm::text}},
        {"Apn", {{30, 0}, FieldForm::text}}};
    const auto at = known.find(name);
    if (at == known.end()) return false;
    found = at->second;
    return true;
  }
  std::string nearest(std::string_view) const override { return "Called"; }
};

// AVPs by their last code.
class Avps : public AvpSource {
 public:
  std::map<u32, std::string> values;
  bool find(std::span<const AvpStep> path, Bytes& data) const override {
    const auto at = values.find(path.back().code);
    if (at == values.end()) return false;
    data = as_bytes(at->second);
    return true;
  }
};

NormaliseCompiled compile_text(const std::string& text, const std::string& python = "",
                               const std::string& ported = "") {
  const std::vector<TariffText> rules = {{"a.normalise", text}};
  const std::vector<TariffText> others = {{"folder/rules.py", python},
                                          {"folder/ported.csv", ported}};
  static const Names names;
  return compile_normalise({rules, others, names});
}

std::string mistakes_of(const std::string& text, const std::string& ported = "") {
  std::string told;
  for (const Diagnostic& one : compile_text(text, "", ported).diagnostics)
    told += to_text(one) + "\n";
  return told;
}

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

// Rules in force, as a tile has them.
class Rules {
 public:
  explicit Rules(const std::string& text, const std::string& python = "",
                 const std::string& ported = "") {
    const NormaliseCompiled compiled = compile_text(text, python, ported);
    for (const Diagnostic& one : compiled.diagnostics) ADD_FAILURE() << to_text(one);
    if (!compiled.is_good()) return;
    const std::size_t bytes = compiled.image.size();
    memory_.reset(std::aligned_alloc(64, round_up(bytes, 64)));
    std::memcpy(memory_.get(), compiled.image.data(), bytes);
    image = {static_cast<const u8*>(memory_.get()), bytes};
    EXPECT_TRUE(validate_normalise(image));
    EXPECT_TRUE(normaliser.use(image, Program::Mapping::data));
  }

  NormaliseOutcome run(const Avps& avps, std::string_view context = "32260@3gpp.org") {
    normaliser.look(avps, context_key(context), Instant{});
    event = {};
    return normaliser.apply(input, event);
  }

  Normaliser normaliser;
  NormaliseInput input;
  ChargeEvent event;
  Bytes image;

 private:
  std::unique_ptr<void, Free> memory_;
};

constexpr const char* voice = R"(
numbers {
  country "46"
  national "0"
  international "00", "011"
  short "112" to "46112"
  ported "4670123" to "469970123", "4670" to "4699"
  called from avp "Info/Called"
  calling from avp "Info/Calling"
}
service voice {
  rule "emergency" {
    when called in "46112"
    set rating-group 99
  }
  rule "abroad" {
    when not called prefix "46"
    when avp "Info/Role" in 0
    set zone world
    set direction originating
    set rating-group 20
  }
  rule "home" {
    when called prefix "46"
    set zone home
    set rating-group 10
  }
  rule "any" { set location home }
}
)";

TEST(Normalise, NumbersBecomeInternational) {
  Rules rules(voice);
  constexpr std::pair<const char*, const char*> cases[] = {
      {"tel:+4680123", "4680123"},
      {"tel:+46-8-01.23;phone-context=x", "4680123"},
      {"sip:0801234@ims.example;user=phone", "46801234"},
      {"004930123", "4930123"},
      {"0114930123", "4930123"},
      {"4930123", "4930123"},
      {"112", "46112"},
      {"0701234", "4699701234"},  // the longest prefix that was ported
      {"0709999", "46999999"},
  };
  for (const auto& [raw, expected] : cases) {
    Avps avps;
    avps.values[832] = raw;
    rules.run(avps);
    EXPECT_EQ(rules.event.called.view(), expected) << raw;
  }
}

constexpr const char* porting = R"(
numbers {
  country "46"; national "0"
  ported "4670123" to "469970123"
  ported from "ported.csv"
  called from avp "Info/Called"
}
service voice {
  rule "known" { when called prefix "46701111"; set zone known }
  rule "any" { set location home }
}
)";

TEST(Normalise, SingleNumbersThatWerePortedAreRoutedOrInAZone) {
  std::string table = "# number, operator\r\n4670123,4677\n46701230000,telia\n46701111,telia\n";
  for (u64 number = 46'730'000'000; number < 46'730'050'000; ++number) {
    table += fmt::format("{},{}\n", number, number % 2 == 0 ? "4699" : "tele2");
  }
  Rules rules(porting, "", table);
  const std::tuple<const char*, const char*, u64> cases[] = {
      {"070123", "46774670123", 0},                      // itself, not the block
      {"0701234", "4699701234", 0},                      // the block
      {"0701230000", "46701230000", text_key("telia")},  // out of the block
      {"0730012344", "469946730012344", 0},
      {"+46730012345", "46730012345", text_key("tele2")},
      {"+46730050000", "46730050000", 0},          // one behind the last
      {"0701111", "46701111", text_key("known")},  // a rule goes before the table
      {"46730012345999999999", "46730012345999999999", 0},
  };
  for (const auto& [raw, digits, zone] : cases) {
    Avps avps;
    avps.values[832] = raw;
    EXPECT_EQ(rules.run(avps), NormaliseOutcome::ok) << raw;
    EXPECT_EQ(rules.event.called.view(), digits) << raw;
    EXPECT_EQ(rules.event.zone, zone) << raw;
  }
}

TEST(Normalise, MistakesInATableOfPortedNumbersAreToldWithTheirLines) {
  const auto told = [](const std::string& table) { return mistakes_of(porting, table); };
  EXPECT_NE(told("46701,4699\n4670x,4699\n").find("folder/ported.csv:2:1: found \"4670x\""),
            std::string::npos);
  EXPECT_NE(told("4670\n").find("ported.csv:1:6: found \"\", expected the digits"),
            std::string::npos);
  EXPECT_NE(told("4670,46x\n").find("ported.csv:1:6: found \"46x\""), std::string::npos);
  EXPECT_NE(told("1234567890123456,46\n").find("at most 15 digits"), std::string::npos);
  EXPECT_NE(told("4670,telia\n\n4670,4699\n").find("ported.csv:3:1: the number 4670 stands twice"),
            std::string::npos);
  std::string operators;
  for (u32 i = 0; i <= ported_operators_max; ++i) operators += fmt::format("46{:05},z{}\n", i, i);
  EXPECT_NE(told(operators).find("ported.csv:4096:9: found more than 4095 operators"),
            std::string::npos);
  EXPECT_NE(mistakes_of("numbers { ported from \"none.csv\" }\n")
                .find("a.normalise:1:23: there is no file \"none.csv\""),
            std::string::npos);
}

TEST(Normalise, EachAttributeIsOfTheFirstRuleThatSetsIt) {
  Rules rules(voice);
  Avps avps;
  avps.values[832] = "tel:112";
  EXPECT_EQ(rules.run(avps), NormaliseOutcome::ok);
  EXPECT_EQ(rules.normaliser.rule_name(), "emergency");
  EXPECT_EQ(rules.event.rating_group, 99u);
  EXPECT_EQ(rules.event.zone, text_key("home"));
  EXPECT_EQ(rules.event.location, Location::home);
  EXPECT_EQ(rules.event.direction, Direction::unknown);
}

TEST(Normalise, ConditionsAreAllOfThem) {
  Rules rules(voice);
  Avps avps;
  avps.values[832] = "tel:+4930123";
  EXPECT_EQ(rules.run(avps), NormaliseOutcome::ok);
  EXPECT_EQ(rules.normaliser.rule_name(), "any");
  avps.values[829] = std::string("\0\0\0\0", 4);
  EXPECT_EQ(rules.run(avps), NormaliseOutcome::ok);
  EXPECT_EQ(rules.normaliser.rule_name(), "abroad");
  EXPECT_EQ(rules.event.direction, Direction::originating);
  EXPECT_EQ(rules.event.rating_group, 20u);
  EXPECT_TRUE(rules.event.has_rating_group);
}

TEST(Normalise, OtherServicesPassUnchanged) {
  Rules rules(voice);
  rules.input = {.rating_group = 7, .has_rating_group = true};
  EXPECT_EQ(rules.run({}, "32251@3gpp.org"), NormaliseOutcome::unchanged);
  EXPECT_EQ(rules.event.rating_group, 7u);
  EXPECT_EQ(rules.event.service_context, context_key("32251@3gpp.org"));
}

constexpr const char* data = R"(
service data {
  rule "pattern" { when avp "Apn" matches "^ims\.", "\.corp$"
    set service "corporate@example"; set zone a }
  rule "set" { when avp "Apn" in "internet", "web"; set rating-group 1 }
  rule "lan" { when avp "Info/Address" within "10.1.0.0/16", "2001:db8::/32"; set rating-group 2 }
  rule "net" { when avp "Info/Address" within "10.0.0.0/8"; set rating-group 3 }
  rule "groups" { when rating-group between 100 and 199; set identifier 5 }
  rule "plmn" { when avp "Info/Location" as plmn prefix "240"
    set network from avp "Info/Location" as plmn }
  rule "unknown vendor" { when avp "Info/9999:12" as number in 258; set rating-group 4 }
  rule "hex" { when avp "Info/9999:13" as hex matches "^00ff"; set rating-group 6 }
}
)";

struct DataCase {
  u32 code;
  std::string value;
  std::string_view rule;
};

TEST(Normalise, EveryKindOfTest) {
  Rules rules(data);
  const DataCase cases[] = {
      {30, "ims.mnc001", "pattern"},
      {30, "x.corp", "pattern"},
      {30, "web", "set"},
      {1227, std::string("\0\1\x0a\1\2\3", 6), "lan"},
      {1227, std::string("\0\1\x0a\2\2\3", 6), "net"},
      {1227, std::string("\0\2\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 18), "lan"},
      {22, std::string("\x82\x42\xf0\x10\1\2\3\4", 8), "plmn"},
      {12, std::string("\1\2", 2), "unknown vendor"},
      {13, std::string("\0\xff\1", 3), "hex"},
  };
  for (const DataCase& one : cases) {
    Avps avps;
    avps.values[one.code] = one.value;
    EXPECT_EQ(rules.run(avps, "32251@3gpp.org"), NormaliseOutcome::ok) << one.rule;
    EXPECT_EQ(rules.normaliser.rule_name(), one.rule);
  }
  Avps avps;
  avps.values[22] = cases[6].value;
  EXPECT_EQ(rules.run(avps, "32251@3gpp.org"), NormaliseOutcome::ok);
  EXPECT_EQ(rules.event.network.view(), "24001");
  rules.input = {.rating_group = 150, .has_rating_group = true};
  EXPECT_EQ(rules.run({}, "32251@3gpp.org"), NormaliseOutcome::ok);
  EXPECT_EQ(rules.normaliser.rule_name(), "groups");
  rules.input.rating_group = 200;
  EXPECT_NE(rules.run({}, "32251@3gpp.org"), NormaliseOutcome::ok);
}

TEST(Normalise, WhatFitsNoRuleTellsItsAvp) {
  Rules rules(R"(
service sms {
  rule "a" { when avp "Apn" in "x"; when avp "Info/Role" in 1; set rating-group 1 }
}
)");
  Avps avps;
  avps.values[30] = "x";
  EXPECT_EQ(rules.run(avps, "32274@3gpp.org"), NormaliseOutcome::avp_missing);
  ASSERT_EQ(rules.normaliser.culprit().size(), 2u);
  EXPECT_EQ(rules.normaliser.culprit()[1], (AvpStep{829, 10415}));
  avps.values[829] = std::string("\0\0\0\7", 4);
  EXPECT_EQ(rules.run(avps, "32274@3gpp.org"), NormaliseOutcome::no_rule);
  EXPECT_EQ(rules.normaliser.culprit()[1], (AvpStep{829, 10415}));
  avps.values[30] = "y";
  EXPECT_EQ(rules.run(avps, "32274@3gpp.org"), NormaliseOutcome::no_rule);
}

TEST(Normalise, PythonSetsAnAttribute) {
  Rules rules(R"(
service voice {
  rule "by hand" { when rating-group present; set identifier python "rules.py" pick }
}
)",
              "def pick(event: Event) -> int:\n    return 1000 // (event.rating_group - 5)\n");
  rules.input = {.rating_group = 15, .has_rating_group = true};
  EXPECT_EQ(rules.run({}), NormaliseOutcome::ok);
  EXPECT_EQ(rules.event.service_identifier, 100u);
  rules.input.rating_group = 5;
  EXPECT_EQ(rules.run({}), NormaliseOutcome::program_failed);
  rules.input.rating_group = 4;
  EXPECT_EQ(rules.run({}), NormaliseOutcome::number_unusable);
}

TEST(Normalise, MistakesHaveTheirPlaces) {
  const std::string told = mistakes_of(R"(
service voice {
  rule "a" { when avp "Caled" present }
  rule "b" { when avp "Apn" matches "(" }
  rule "c" { set rating-group 5000000000 }
  rule "d" { set direction sideways }
  rule "e" { when called absent; when called present }
  rule "f" { set identifier python "none.py" f }
}
)");
  EXPECT_NE(
      told.find("a.normalise:3:23: no AVP is named \"Caled\" (hint: did you mean \"Called\"?)"),
      std::string::npos)
      << told;
  EXPECT_NE(told.find("a.normalise:5:31: the number does not fit"), std::string::npos) << told;
  EXPECT_NE(told.find("a.normalise:6:28: found 'sideways', expected originating"),
            std::string::npos)
      << told;
  EXPECT_NE(told.find("a.normalise:7:39: the rule can never fit"), std::string::npos) << told;
  EXPECT_NE(told.find("a.normalise:8:18: there is no Python file"), std::string::npos) << told;
  EXPECT_NE(mistakes_of("service voice { rule \"b\" { when avp \"Apn\" matches \"(\" } }")
                .find("the expression \"(\""),
            std::string::npos);
}

TEST(Normalise, ExamplesAreVerified) {
  const std::string good = std::string(voice) + R"(
example "an emergency" {
  service voice; avp "Info/Called" "112"
  expect rule "emergency"; expect rating-group 99; expect called "46112"
}
)";
  EXPECT_EQ(mistakes_of(good), "");
  const std::string bad = std::string(voice) + R"(
example "wrong" {
  service voice; avp "Info/Called" "112"
  expect rating-group 98; expect called "46113"
}
)";
  EXPECT_NE(mistakes_of(bad).find("example \"wrong\" expects another value, found 99"),
            std::string::npos);
  EXPECT_NE(mistakes_of(bad).find("expects \"46113\", but it is \"46112\""), std::string::npos);
}

// The quick way against the plain one: every rule looked at in its order.
TEST(Normalise, ManyRulesAsOneAfterTheOther) {
  std::mt19937_64 random(7);
  std::string text = "numbers { called from avp \"Called\" }\nservice voice {\n";
  struct Plain {
    std::string prefix;
    u64 first, last;
    bool negated;
  };
  std::vector<Plain> plain;
  for (u32 i = 0; i < 600; ++i) {
    Plain one;
    for (u64 n = random() % 4 + 1; n > 0; --n) one.prefix += static_cast<char>('1' + random() % 4);
    one.first = random() % 50;
    one.last = one.first + random() % 10;
    one.negated = random() % 8 == 0;
    text += fmt::format(
        "rule \"{}\" {{ when {}called prefix \"{}\"; when rating-group between {} and {}; set "
        "identifier {} }}\n",
        i, one.negated ? "not " : "", one.prefix, one.first, one.last, i);
    plain.push_back(one);
  }
  Rules rules(text + "}\n");
  for (u32 round = 0; round < 3000; ++round) {
    Avps avps;
    for (u32 n = 0; n < 6; ++n) avps.values[832] += static_cast<char>('1' + random() % 4);
    const u32 group = static_cast<u32>(random() % 70);
    rules.input = {.rating_group = group, .has_rating_group = true};
    const NormaliseOutcome outcome = rules.run(avps);
    u32 expected = ~0u;
    for (u32 i = 0; i < plain.size() && expected == ~0u; ++i) {
      const bool begins = avps.values[832].starts_with(plain[i].prefix) != plain[i].negated;
      if (begins && group >= plain[i].first && group <= plain[i].last) expected = i;
    }
    ASSERT_EQ(outcome == NormaliseOutcome::ok, expected != ~0u) << round;
    if (expected != ~0u) {
      ASSERT_EQ(rules.event.service_identifier, expected) << round;
    }
  }
}

TEST(Normalise, DamagedImagesAreRefused) {
  const NormaliseCompiled compiled = compile_text(voice);
  std::vector<u64> aligned((compiled.image.size() + 7) / 8);
  const Bytes bytes(reinterpret_cast<const u8*>(aligned.data()), compiled.image.size());
  for (std::size_t at = 0; at < compiled.image.size(); at += 3) {
    std::memcpy(aligned.data(), compiled.image.data(), compiled.image.size());
    reinterpret_cast<u8*>(aligned.data())[at] ^= 0x41;
    EXPECT_FALSE(validate_normalise(bytes)) << at;
  }
}

// With the checksum put right, what is accepted must do no harm.
TEST(Normalise, ImagesOfAnybodyAreHarmless) {
  const NormaliseCompiled compiled = compile_text(data);
  std::vector<u64> aligned((compiled.image.size() + 63) / 64 * 8);
  auto* octets = reinterpret_cast<u8*>(aligned.data());
  NormaliseHeader header;
  std::memcpy(&header, compiled.image.data(), sizeof header);
  std::mt19937_64 random(3);
  Normaliser normaliser;
  Avps avps;
  avps.values = {{1227, "abcdef"}, {22, "abcdefgh"}, {12, "x"}, {832, "tel:+461"}};
  for (u32 round = 0; round < 4000; ++round) {
    std::memcpy(octets, compiled.image.data(), compiled.image.size());
    // Hyperscan's own part is left alone: no pattern, no database.
    auto* image = reinterpret_cast<NormaliseHeader*>(octets);
    image->patterns.count = 0;
    for (u64 i = random() % 3 + 1; i > 0; --i) {
      const u64 at = 24 + random() % (header.database.offset - 24);
      octets[at] = static_cast<u8>(random());
    }
    for (NormaliseField *field = reinterpret_cast<NormaliseField*>(octets + header.fields.offset),
                        *end = field + header.fields.count;
         field < end; ++field) {
      field->has_patterns = 0;
    }
    seal_normalise({octets, compiled.image.size()});
    const Bytes bytes(octets, compiled.image.size());
    if (!validate_normalise(bytes) || image->patterns.count != 0) continue;
    ASSERT_TRUE(normaliser.use(bytes, Program::Mapping::data));
    ChargeEvent event;
    normaliser.look(avps, context_key("32251@3gpp.org"), Instant{});
    const NormaliseOutcome outcome = normaliser.apply({}, event);
    EXPECT_LE(outcome, NormaliseOutcome::no_rule);
    static_cast<void>(normaliser.culprit());
  }
}

TEST(Normalise, BundlesComeApartAgain) {
  ImageHeader header;
  header.magic = image_magic;
  header.size_bytes = sizeof header + 8;
  std::vector<u8> tariff(sizeof header + 8);
  std::memcpy(tariff.data(), &header, sizeof header);
  EXPECT_TRUE(normalise_part(make_bundle(tariff, {})).empty());
  const std::vector<u8> rules = compile_text(voice).image;
  const std::vector<u8> bundle = make_bundle(tariff, rules);
  EXPECT_EQ(tariff_part(bundle).size(), tariff.size());
  EXPECT_TRUE(std::ranges::equal(normalise_part(bundle), rules));
}

}  // namespace
}  // namespace tollgate::rating
