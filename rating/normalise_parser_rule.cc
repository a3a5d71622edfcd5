// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Tests and settings of rules, and examples.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "rating/charge_event.hh"
#include "rating/normalise_parser.hh"
#include "rating/parser.hh"
#include "rating/services.hh"

namespace tollgate::rating {
namespace {

constexpr std::array<std::string_view, attribute_count> attribute_names = {
    "service", "rating-group", "identifier", "direction", "location",
    "zone",    "network",      "calling",    "called"};

bool read_digits(std::string_view text, u64& number) {
  const auto [end, error] = std::from_chars(text.begin(), text.end(), number);
  return error == std::errc{} && end == text.end();
}

bool is_textual(FieldForm form) {
  return form != FieldForm::number && form != FieldForm::address;
}

}  // namespace

// `[not] FIELD in ... | prefix ... | matches ... | between A and B | within ... | present | absent`
bool NormaliseParser::test(NormaliseRuleText& rule) {
  TestText test;
  test.at = peek().at;
  test.is_negated = accept("not");
  if (!field(test.field)) return false;
  if (!test_values(test)) return false;
  rule.tests.push_back(std::move(test));
  return true;
}

bool NormaliseParser::test_values(TestText& test) {
  const bool is_text = is_textual(test.field.form);
  if (accept("present")) return true;
  if (accept("absent")) {
    test.is_negated = !test.is_negated;
    return true;
  }
  if (accept("in")) return in_values(test);
  if (accept("between")) return between(test);
  if (accept("within")) return within(test);
  const bool is_prefix = peek().is_word("prefix");
  if (is_prefix || peek().is_word("matches")) {
    if (!is_text) return fail("a test for numbers: in, between", "prefixes are for texts");
    next();
    test.kind = is_prefix ? TestKind::prefix : TestKind::matches;
    const Place at = peek().at;
    if (!texts(test.texts, is_prefix ? "a prefix" : "a regular expression")) return false;
    for (const std::string& one : test.texts) {
      if (!is_prefix || (!one.empty() && one.size() <= normalise_prefix_max)) continue;
      report_.add(at, fmt::format("the prefix \"{}\" is empty or too long", one),
                  "one to 31 octets");
      return false;
    }
    return true;
  }
  return fail("one of in, prefix, matches, between, within, present, absent");
}

bool NormaliseParser::in_values(TestText& test) {
  test.kind = TestKind::in;
  if (test.field.form == FieldForm::address) return within(test);
  if (test.field.form != FieldForm::number) return texts(test.texts, "a text");
  do {
    skip_newlines();
    u64 value = 0;
    if (!number(value, "a number")) return false;
    test.ranges.push_back({value, value});
  } while (accept_symbol(','));
  return true;
}

bool NormaliseParser::between(TestText& test) {
  test.kind = TestKind::between;
  if (test.field.form == FieldForm::address) return fail("within, for addresses");
  const auto edge = [this](u64& value) {
    if (peek().kind == Token::Kind::text && read_digits(peek().text, value)) {
      next();
      return true;
    }
    return number(value, "a number");
  };
  const Place at = peek().at;
  u64 first = 0;
  u64 last = 0;
  if (!edge(first)) return false;
  if (!accept("and")) return fail("and");
  if (!edge(last)) return false;
  if (first > last) {
    report_.add(at, "the range ends before it begins");
    return false;
  }
  test.ranges.push_back({first, last});
  return true;
}

bool NormaliseParser::within(TestText& test) {
  test.kind = TestKind::within;
  if (test.field.form != FieldForm::address) {
    return fail("a test for texts or numbers", "write as address behind the AVP");
  }
  const Place at = peek().at;
  std::vector<std::string> ranges;
  if (!texts(ranges, "an address range, like \"10.0.0.0/8\"")) return false;
  for (const std::string& one : ranges) {
    if (!parse_address_range(one, test.ranges.emplace_back())) {
      report_.add(at, fmt::format("\"{}\" is no address range", one),
                  "like \"10.0.0.0/8\" or \"2001:db8::/32\"");
      return false;
    }
  }
  return true;
}

bool NormaliseParser::attribute(Attribute& result) {
  for (std::size_t i = 0; i < attribute_names.size(); ++i) {
    if (!accept(attribute_names[i])) continue;
    result = static_cast<Attribute>(i);
    return true;
  }
  return fail(
      "an attribute of the event: service, rating-group, identifier, direction, location, "
      "zone, network, calling, called",
      peek().kind == Token::Kind::word ? rating::nearest(peek().text, attribute_names) : "");
}

bool NormaliseParser::setting(NormaliseRuleText& rule) {
  SettingText setting;
  setting.at = peek().at;
  if (!attribute(setting.attribute)) return false;
  for (const SettingText& before : rule.settings) {
    if (before.attribute != setting.attribute) continue;
    report_.add(setting.at, "the attribute is set twice in this rule");
    return false;
  }
  if (!setting_value(setting)) return false;
  rule.settings.push_back(std::move(setting));
  return true;
}

bool NormaliseParser::setting_value(SettingText& setting) {
  if (accept("python")) {
    setting.source = SettingSource::program;
    if (!text(setting.file, "a file, like \"rules.py\"")) return false;
    if (peek().kind != Token::Kind::word) return fail("the function's name");
    setting.text = next().text;
    return true;
  }
  if (accept("from")) {
    setting.source = SettingSource::field;
    if (!field(setting.field.emplace())) return false;
    if (setting.field->source == FieldSource::avp) return true;
    report_.add(setting.field->at, "an attribute is taken from an AVP", "write avp \"...\"");
    return false;
  }
  return enumerator(setting);
}

// A value that is written: a number, a word, a text.
bool NormaliseParser::enumerator(SettingText& setting) {
  const Token& token = peek();
  switch (setting.attribute) {
    case Attribute::rating_group:
    case Attribute::identifier:
      if (!number(setting.number, "a number of 32 bits")) return false;
      if (setting.number <= UINT32_MAX) return true;
      report_.add(token.at, "the number does not fit into 32 bits");
      return false;
    case Attribute::direction:
    case Attribute::location: {
      const bool is_direction = setting.attribute == Attribute::direction;
      for (u8 i = 1; i <= (is_direction ? 3 : 2); ++i) {
        const std::string_view name =
            is_direction ? to_text(static_cast<Direction>(i)) : to_text(static_cast<Location>(i));
        setting.number = i;
        if (accept(name)) return true;
      }
      return fail(is_direction ? "originating, terminating or forwarded" : "home or roaming");
    }
    case Attribute::service:
      if (token.kind == Token::Kind::word && find_named_service(token.text) == nullptr) {
        return fail("data, voice, sms, mms, or a Service-Context-Id in quotes");
      }
      if (token.kind != Token::Kind::word && token.kind != Token::Kind::text) {
        return fail("data, voice, sms, mms, or a Service-Context-Id in quotes");
      }
      setting.number = contexts_of(next().text)[0];
      return true;
    case Attribute::zone:
      if (token.kind != Token::Kind::word && token.kind != Token::Kind::text) {
        return fail("a zone's name");
      }
      setting.number = text_key(next().text);
      return true;
    case Attribute::network:
    case Attribute::calling:
    case Attribute::called:
      setting.source = SettingSource::text;
      return digits(setting.text, "digits in quotes");
  }
  return false;
}

// ---- examples

bool NormaliseParser::example() {
  NormaliseExampleText example;
  example.at = tokens_[at_ - 1].at;
  if (!text(example.name, "the example's name")) return false;
  const bool is_read = block([&] { return example_statement(example); });
  syntax_.examples.push_back(std::move(example));
  return is_read;
}

bool NormaliseParser::example_statement(NormaliseExampleText& example) {
  if (accept("service")) {
    NormaliseServiceText named;
    if (!contexts(named)) return false;
    example.has_context = !named.contexts.empty();
    if (example.has_context) example.context = named.contexts[0];
    return true;
  }
  if (accept("avp")) return example_avp(example);
  u64 value = 0;
  if (accept("rating-group")) {
    if (!number(value, "a rating group")) return false;
    example.rating_group = static_cast<u32>(value);
    return true;
  }
  if (accept("identifier")) {
    if (!number(value, "a service identifier")) return false;
    example.identifier = static_cast<u32>(value);
    return true;
  }
  if (accept("expect")) return example_expect(example);
  return fail("one of service, avp, rating-group, identifier, expect");
}

// avp "PATH" "text" | 12 | hex "0142f010" | address "10.0.0.1"
bool NormaliseParser::example_avp(NormaliseExampleText& example) {
  NormaliseExampleText::Avp avp;
  FieldForm form = FieldForm::text;
  if (!path(avp.path, form)) return false;
  u64 value = 0;
  if (accept("hex")) {
    const Place at = peek().at;
    std::string octets;
    if (!text(octets, "octets in hexadecimal digits")) return false;
    for (std::size_t i = 0; i < octets.size(); i += 2) {
      u8 octet = 0;
      const char* const end = octets.data() + std::min(i + 2, octets.size());
      if (octets.size() % 2 != 0 || std::from_chars(&octets[i], end, octet, 16).ptr != end) {
        report_.add(at, "found octets that are not pairs of hexadecimal digits");
        return false;
      }
      avp.octets.push_back(static_cast<char>(octet));
    }
  } else if (accept("address")) {
    const Place at = peek().at;
    std::string written;
    AddressRange range;
    if (!text(written, "an address")) return false;
    if (!parse_address_range(written, range)) {
      report_.add(at, "found no address");
      return false;
    }
    const bool is_four = written.find(':') == std::string::npos;
    avp.octets = is_four ? std::string("\0\1", 2) : std::string("\0\2", 2);
    for (int i = is_four ? 3 : 15; i >= 0; --i) {
      avp.octets.push_back(static_cast<char>(static_cast<u8>(range.first >> (8 * i))));
    }
  } else if (peek().kind == Token::Kind::number) {
    if (!number(value, "a number")) return false;
    for (int i = 3; i >= 0; --i) avp.octets.push_back(static_cast<char>(value >> (8 * i)));
  } else if (!text(avp.octets, "a text, a number, hex \"...\" or address \"...\"")) {
    return false;
  }
  example.avps.push_back(std::move(avp));
  return true;
}

bool NormaliseParser::example_expect(NormaliseExampleText& example) {
  if (accept("refused")) {
    example.is_refused = true;
    return true;
  }
  if (accept("unchanged")) {
    example.is_unchanged = true;
    return true;
  }
  if (accept("rule")) return text(example.rule.emplace(), "the rule's name");
  SettingText expected;
  expected.at = peek().at;
  if (!attribute(expected.attribute) || !enumerator(expected)) return false;
  example.expected.push_back({expected.at, expected.attribute, expected.number, expected.text});
  return true;
}

}  // namespace tollgate::rating
