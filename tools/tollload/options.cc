// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollload/options.hh"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <map>

#include "base/hash.hh"
#include "tools/tollload/digits.hh"

namespace tollgate::tollload {
namespace {

// Texts as they were given, before they are read.
struct Raw {
  std::string to;
  std::string from = "198.18.1.2/24";
  i64 core = -1;
  bool no_huge = false;
  bool no_terminate = false;
  bool no_yield = false;
  double answer_timeout_s = 5;
  double connect_timeout_s = 10;
};

constexpr u32 slot_count_max = 1U << 24;
constexpr u32 session_count_default = 100'000;

void add_load_options(CLI::App& app, Options& options, Raw& raw) {
  const std::map<std::string, TransportKind> kinds{{"memif", TransportKind::memif},
                                                   {"kernel", TransportKind::kernel}};
  app.add_option("--transport", options.transport, "memif or kernel")
      ->required()
      ->transform(CLI::Transformer(kinds))
      ->type_name("memif|kernel");
  app.add_option("--to", raw.to, "the server's address, port 3868 if none is given")
      ->required()
      ->type_name("ADDRESS[:PORT]");
  app.add_option("--scenario", options.scenario,
                 "what sessions use; mixed: 60 % data, 25 % voice, 15 % sms")
      ->required()
      ->check(CLI::IsMember({"data", "voice", "sms", "mixed"}))
      ->type_name("data|voice|sms|mixed");
  app.add_option("--connections", options.connection_count, "connections, each a client of its own")
      ->check(CLI::Range(1U, host_number_end - 1))
      ->capture_default_str();
  CLI::Option* const window =
      app.add_option("--window", options.window_count, "requests under way, over all connections")
          ->check(CLI::Range(1U, slot_count_max))
          ->capture_default_str();
  app.add_option("--rate", options.rate_per_second,
                 "requests a second at planned moments, whatever the server does; latency counts "
                 "from the planned moment")
      ->check(CLI::Range(u64{1}, u64{100'000'000}))
      ->excludes(window);
  app.add_option("--subscribers", options.subscriber_count, "subscribers that use services")
      ->required()
      ->check(CLI::Range(1U, digits8_end - 1));
  app.add_option("--seconds", options.seconds, "how long to measure, after all sessions are open")
      ->required()
      ->check(CLI::Range(1U, 1'000'000U));
  app.add_option("--sessions", options.session_count,
                 "sessions kept open; default: one a subscriber, at most 100000")
      ->check(CLI::Range(1U, slot_count_max));
  app.add_option("--updates", options.updates_mean,
                 "updates of a session on average; 0: sessions last to the end of the load")
      ->capture_default_str();
  app.add_option("--duplicates", options.duplicates_per_mille,
                 "of a thousand requests, how many are sent twice; both answers must be equal")
      ->check(CLI::Range(0U, 1000U))
      ->capture_default_str();
}

void add_use_options(CLI::App& app, Options& options, Raw& raw) {
  ServiceUse& data = options.uses[0];
  ServiceUse& voice = options.uses[1];
  ServiceUse& sms = options.uses[2];
  const CLI::Range amounts(1U, 4'000'000'000U);
  app.add_option("--requested-octets", data.requested, "asked for in each request")
      ->check(amounts)
      ->capture_default_str();
  app.add_option("--used-octets", data.used, "reported in each update")->capture_default_str();
  app.add_option("--requested-seconds", voice.requested, "asked for in each request")
      ->check(amounts)
      ->capture_default_str();
  app.add_option("--used-seconds", voice.used, "reported in each update")->capture_default_str();
  app.add_option("--rating-group", data.rating_group, "of data")->capture_default_str();
  app.add_option("--voice-rating-group", voice.rating_group, "of voice")->capture_default_str();
  app.add_option("--sms-rating-group", sms.rating_group, "of sms")->capture_default_str();
  app.add_flag("--any-grant", options.any_grant,
               "any amount above zero is a right grant: for servers that choose it themselves");
  app.add_flag("--allow-refused", options.allow_refused,
               "4012 is a right answer: for accounts that run empty");
  app.add_flag("--no-terminate", raw.no_terminate, "leave the sessions open at the end");
  app.add_flag("--reconnect", options.reconnect,
               "connect again when a connection is lost, and send again what was not answered");
  app.add_option("--answer-timeout", raw.answer_timeout_s, "seconds after which a request is lost")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app.add_option("--connect-timeout", raw.connect_timeout_s,
                 "seconds to go on trying, at start and after a loss")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
}

void add_identity_options(CLI::App& app, Options& options) {
  Identities& who = options.identities;
  app.add_option("--first-msisdn", who.first_msisdn, "of the first subscriber; the next has 1 more")
      ->capture_default_str();
  app.add_option("--first-imsi", who.first_imsi, "of the first subscriber; the next has 1 more")
      ->capture_default_str();
  app.add_option("--origin-host", who.host,
                 "of several connections each adds its number to the first label")
      ->capture_default_str();
  app.add_option("--origin-realm", who.realm)->capture_default_str();
  app.add_option("--destination-realm", who.destination_realm)->capture_default_str();
  app.add_option("--destination-host", who.destination_host, "sent if given");
  app.add_option("--seed", options.seed, "of all that is drawn; default: another one each time");
}

void add_machine_options(CLI::App& app, Options& options, Raw& raw) {
  app.add_option("--memif-socket", options.memif_socket, "of the appliance")->capture_default_str();
  app.add_option("--queues", options.queue_count, "memif queues, as many as the appliance has")
      ->check(CLI::Range(1U, 64U))
      ->capture_default_str();
  app.add_option("--from", raw.from, "our own address on memif")
      ->capture_default_str()
      ->type_name("ADDRESS/PREFIX");
  app.add_option("--mtu", options.mtu_bytes, "of memif")
      ->check(CLI::Range(576U, 9000U))
      ->capture_default_str();
  app.add_option("--core", raw.core, "the processor to run on")->check(CLI::Range(0, 1023));
  app.add_flag("--no-yield", raw.no_yield,
               "never let others run on the processor: right where it is isolated, bad elsewhere");
  app.add_option("--file-prefix", options.file_prefix,
                 "of DPDK's files; default: one of this process");
  app.add_flag("--no-huge", raw.no_huge, "memif without huge pages");
  app.add_option("--huge-dir", options.huge_directory, "a mounted hugetlbfs");
  app.add_option("--memory-mib", options.memory_mib, "huge pages to take")
      ->check(CLI::Range(64U, 65'536U))
      ->capture_default_str();
  app.add_option("--json", options.json_path, "where to write the result; - is standard output")
      ->type_name("FILE");
  app.add_option("--record", options.record_path,
                 "where to write a line of JSON for each request: what was answered, what not")
      ->type_name("FILE");
  app.add_option("--explain", options.explain_count, "wrong answers to explain")
      ->capture_default_str();
  app.add_flag("--quiet", options.quiet, "no progress and no summary");
}

// Subscribers differ in the last eight digits of their numbers only.
bool numbers_fit(u64 first, u32 count, u64 end) {
  return first >= digits8_end && first < end && first % digits8_end + count <= digits8_end;
}

std::string finish_identities(Options& options) {
  Identities& who = options.identities;
  constexpr u64 digits16_end = 10'000'000'000'000'000;
  if (!numbers_fit(who.first_msisdn, options.subscriber_count, digits16_end / 10))
    return fmt::format(
        "--first-msisdn {}: a number of 9 to 15 digits is expected, whose last eight digits and "
        "--subscribers {} together stay below 100000000",
        who.first_msisdn, options.subscriber_count);
  if (!numbers_fit(who.first_imsi, options.subscriber_count, digits16_end / 10))
    return fmt::format(
        "--first-imsi {}: a number of 9 to 15 digits is expected, whose last eight digits and "
        "--subscribers {} together stay below 100000000",
        who.first_imsi, options.subscriber_count);
  for (const std::string* name : {&who.host, &who.realm, &who.destination_realm})
    if (name->empty() || name->size() > 200)
      return fmt::format("\"{}\": a host or realm has 1 to 200 letters", *name);
  who.hosts_are_numbered = options.connection_count > 1;
  if (options.seed == 0) {
    const Instant now = Clock().now();
    options.seed = mix64(static_cast<u64>(now.ns) ^ static_cast<u64>(getpid()) << 40);
  }
  who.run_number = static_cast<u32>(options.seed >> 32 ^ options.seed);
  return {};
}

std::string finish(const Raw& raw, Options& options) {
  if (!dataplane::parse(raw.to, 3868, options.to))
    return fmt::format("--to {}: an address is expected, like 198.18.1.1:3868 or [2001:db8::1]",
                       raw.to);
  if (!dataplane::parse(raw.from, options.from) || options.from.length_bits == 0)
    return fmt::format("--from {}: an address with its net is expected, like 198.18.1.2/24",
                       raw.from);
  if (options.transport == TransportKind::memif &&
      options.from.address.version != options.to.address.version)
    return fmt::format("--from {} and --to {}: both are IPv4, or both IPv6", raw.from, raw.to);
  if (options.scenario == "voice") options.mix = {0, 100, 0};
  if (options.scenario == "sms") options.mix = {0, 0, 100};
  if (options.scenario == "mixed") options.mix = mix_mixed;
  if (options.session_count == 0)
    options.session_count = std::min(options.subscriber_count, session_count_default);
  if (options.session_count > options.subscriber_count)
    return fmt::format("--sessions {}: at most one a subscriber, and there are {}",
                       options.session_count, options.subscriber_count);
  if (options.session_count < options.connection_count)
    return fmt::format("--connections {}: at most as many as sessions, and there are {}",
                       options.connection_count, options.session_count);
  for (const ServiceUse& use : options.uses)
    if (use.used > use.requested)
      return fmt::format("used {}: at most what is requested, {}", use.used, use.requested);
  options.has_core = raw.core >= 0;
  options.core = options.has_core ? static_cast<u32>(raw.core) : 0;
  options.huge_pages = !raw.no_huge;
  options.terminate = !raw.no_terminate;
  options.yields = !raw.no_yield;
  options.answer_timeout = Duration::milliseconds(static_cast<i64>(raw.answer_timeout_s * 1000));
  options.connect_timeout = Duration::milliseconds(static_cast<i64>(raw.connect_timeout_s * 1000));
  if (options.file_prefix.empty()) options.file_prefix = fmt::format("tollload{}", getpid());
  return finish_identities(options);
}

}  // namespace

Parsed parse_options(int argument_count, const char* const* arguments, Options& options,
                     std::string& text) {
  CLI::App app("Plays Diameter credit-control clients, and checks every answer.", "tollload");
  Raw raw;
  add_load_options(app, options, raw);
  add_use_options(app, options, raw);
  add_identity_options(app, options);
  add_machine_options(app, options, raw);
  try {
    app.parse(argument_count, arguments);
  } catch (const CLI::CallForHelp&) {
    text = app.help();
    return Parsed::help;
  } catch (const CLI::ParseError& error) {
    text = fmt::format("tollload: {}\nTry tollload --help\n", error.what());
    return Parsed::wrong;
  }
  const std::string mistake = finish(raw, options);
  if (mistake.empty()) return Parsed::run;
  text = fmt::format("tollload: {}\nTry tollload --help\n", mistake);
  return Parsed::wrong;
}

}  // namespace tollgate::tollload
