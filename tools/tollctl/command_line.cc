// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollctl/command_line.hh"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <sstream>

namespace tollgate::tollctl {
namespace {

// Options whose values go into the arguments of the request under their own names.
class Builder {
 public:
  Builder(CLI::App& app, CommandLine& line) : app_(app), line_(line) {}

  CLI::App* noun(const std::string& name, const std::string& help) {
    CLI::App* noun = app_.add_subcommand(name, help);
    noun->require_subcommand(1);
    noun->fallthrough();
    return noun;
  }
  CLI::App* verb(CLI::App* parent, const std::string& name, const std::string& verb_name,
                 const std::string& help) {
    CLI::App* verb = parent->add_subcommand(name, help);
    verb->fallthrough();
    verb->callback([this, verb_name] { line_.verb = verb_name; });
    return verb;
  }
  CLI::Option* text(CLI::App* verb, const std::string& option, const std::string& argument,
                    const std::string& help) {
    return verb->add_option_function<std::string>(
        option, [this, argument](const std::string& value) { line_.args[argument] = value; }, help);
  }
  CLI::Option* texts(CLI::App* verb, const std::string& option, const std::string& argument,
                     const std::string& help) {
    return verb
        ->add_option_function<std::vector<std::string>>(
            option,
            [this, argument](const std::vector<std::string>& values) {
              line_.args[argument] = values;
            },
            help)
        ->allow_extra_args(false);
  }
  CLI::Option* number(CLI::App* verb, const std::string& option, const std::string& argument,
                      const std::string& help) {
    return verb->add_option_function<u64>(
        option, [this, argument](const u64& value) { line_.args[argument] = value; }, help);
  }
  CLI::Option* flag(CLI::App* verb, const std::string& option, const std::string& argument,
                    const std::string& help) {
    return verb->add_flag_function(
        option, [this, argument](i64) { line_.args[argument] = 1; }, help);
  }

 private:
  CLI::App& app_;
  CommandLine& line_;
};

void add_account(Builder& build, CommandLine& line) {
  CLI::App* noun = build.noun("account", "subscribers");
  CLI::App* add = build.verb(noun, "add", "account.add", "make an account");
  build.text(add, "ACCOUNT", "account", "its name")->required();
  build
      .texts(add, "--identity", "identities", "msisdn:..., imsi:..., sip:..., nai:..., private:...")
      ->required();
  build.text(add, "--plan", "plan", "of the tariff")->required();
  build.text(add, "--balance", "balance", "to begin with: 10.00EUR");
  build.text(add, "--state", "state", "active (default), inactive, one_way, suspended or expired");
  build.text(add, "--valid-until", "valid_until", "30d, 2027-01-31T00:00:00Z or never (default)");
  build.text(add, "--payer", "payer", "an account that pays when this one cannot");
  CLI::App* show = build.verb(noun, "show", "account.show", "one account with its balances");
  build.text(show, "IDENTITY|ACCOUNT", "who", "an identity or a name")->required();
  build.verb(noun, "list", "account.list", "all accounts by name");
  CLI::App* set = build.verb(noun, "set", "account.set", "change an account");
  build.text(set, "IDENTITY|ACCOUNT", "who", "an identity or a name")->required();
  build.text(set, "--plan", "plan", "of the tariff");
  build.text(set, "--state", "state", "active, inactive, one_way, suspended or expired");
  build.text(set, "--valid-until", "valid_until", "30d, 2027-01-31T00:00:00Z or never");
  build.text(set, "--payer", "payer", "an account that pays when this one cannot, or none");
  build.text(set, "--key", "key", "with a key the command may be repeated: it is done once");
  build.text(set, "--credit-limit", "credit_limit", "how far below zero: 20.00EUR");
  build.texts(set, "--add-identity", "add", "a further identity");
  build.texts(set, "--remove-identity", "remove", "an identity that goes");
  CLI::App* history = build.verb(noun, "history", "account.history", "every change, and its cause");
  build.text(history, "IDENTITY|ACCOUNT", "who", "an identity or a name")->required();
  build.number(history, "--limit", "limit", "how many, the latest: 50");
  CLI::App* limit =
      build.verb(noun, "limit", "account.limit", "what a member may use of its payer");
  build.text(limit, "IDENTITY|ACCOUNT", "who", "the member")->required();
  build.text(limit, "AMOUNT", "amount", "from now on: 5.00EUR; below zero: no limit")->required();
  build.text(limit, "--key", "key", "with a key the command may be repeated: it is done once");
  CLI::App* remove = build.verb(noun, "remove", "account.remove", "remove an account");
  build.text(remove, "IDENTITY|ACCOUNT", "who", "an identity or a name")->required();
  CLI::App* import = build.verb(noun, "import", "account.import", "make many accounts");
  import->add_option("FILE", line.path, "comma separated values with a header")->required();
}

void add_balances(Builder& build, CLI::App& app) {
  CLI::App* top_up = build.verb(&app, "topup", "topup", "put something into an account");
  build.text(top_up, "IDENTITY", "who", "an identity or an account")->required();
  build.text(top_up, "AMOUNT", "amount", "5.00EUR, 1GiB, 3600s, 10events")->required();
  build.text(top_up, "--expires", "expires", "a period: 30d, 12h");
  build.number(top_up, "--priority", "priority", "0 to 255; lower pays first");
  build.flag(top_up, "--extend", "extend", "what is there already stays valid as long");
  CLI::App* adjust = build.verb(&app, "adjust", "adjust", "correct a balance, up or down");
  build.text(adjust, "IDENTITY", "who", "an identity or an account")->required();
  build.text(adjust, "AMOUNT", "amount", "1.00EUR or -1.00EUR")->required();
  build.text(adjust, "--reason", "reason", "why; it is kept")->required();
  CLI::App* transfer = build.verb(&app, "transfer", "transfer", "from one account to another");
  build.text(transfer, "FROM", "from", "an identity or an account")->required();
  build.text(transfer, "TO", "to", "an identity or an account")->required();
  build.text(transfer, "AMOUNT", "amount", "2.00EUR")->required();
  CLI::App* refund = build.verb(&app, "refund", "refund", "give back what was charged");
  build.text(refund, "IDENTITY", "who", "an identity or an account")->required();
  build.text(refund, "AMOUNT", "amount", "0.50EUR")->required();
  build.text(refund, "--reason", "reason", "why; it is kept")->required();
  for (CLI::App* verb : {top_up, adjust, transfer, refund}) {
    build.text(verb, "--key", "key", "with a key the command may be repeated: it is done once");
  }
}

void add_vouchers(Builder& build, CommandLine& line) {
  CLI::App* noun = build.noun("voucher", "codes that are worth something, once");
  CLI::App* import = build.verb(noun, "import", "voucher.import", "make a batch of them");
  import->add_option("FILE", line.path, "comma separated values with a header")->required();
  build.text(import, "--batch", "batch", "its name")->required();
  CLI::App* redeem = build.verb(noun, "redeem", "voucher.redeem", "put one into an account");
  build.text(redeem, "CODE", "code", "what stands on it")->required();
  build.text(redeem, "IDENTITY", "who", "an identity or an account")->required();
  build.text(redeem, "--unit", "unit", "what it has to be worth: EUR, octets");
  build.text(redeem, "--key", "key", "with a key the command may be repeated: it is done once");
  CLI::App* show = build.verb(noun, "show", "voucher.show", "what one is worth, and if it is free");
  build.text(show, "CODE", "code", "what stands on it")->required();
  build.verb(noun, "list", "voucher.list", "all batches");
}

void add_products(Builder& build) {
  CLI::App* noun = build.noun("product", "what is sold beside a plan");
  CLI::App* list = build.verb(noun, "list", "product.list", "what is sold, or what an account has");
  build.text(list, "IDENTITY|ACCOUNT", "who", "only of this account");
  CLI::App* buy = build.verb(noun, "buy", "product.buy", "for an account; takes its fee");
  CLI::App* suspend =
      build.verb(noun, "suspend", "product.suspend", "no prices, no allowances, no fees until");
  CLI::App* resume = build.verb(noun, "resume", "product.resume", "it is resumed");
  CLI::App* end = build.verb(noun, "end", "product.end", "for good");
  for (CLI::App* verb : {buy, suspend, resume, end}) {
    build.text(verb, "IDENTITY|ACCOUNT", "who", "an identity or a name")->required();
    build.text(verb, "PRODUCT", "product", "of the tariff")->required();
    build.text(verb, "--key", "key", "with a key the command may be repeated: it is done once");
  }
  build.text(buy, "--at", "at", "not now, but then: 2026-12-24T00:00:00+01:00");
  build.flag(end, "--with-turn", "with_turn", "not now, but when its present turn ends");
}

void add_tariff(Builder& build, CommandLine& line) {
  CLI::App* noun = build.noun("tariff", "prices");
  CLI::App* check = build.verb(noun, "check", "tariff.check",
                               "look for mistakes; needs no "
                               "appliance");
  check->add_option("FILE|FOLDER", line.path, "a tariff")->required();
  CLI::App* load = build.verb(noun, "load", "tariff.load", "put a tariff into force");
  load->add_option("FILE|FOLDER", line.path, "a tariff")->required();
  build.text(load, "--at", "at", "not now, but then: 2026-12-24T00:00:00+01:00");
  build.verb(noun, "versions", "tariff.versions", "what was loaded, and what waits");
  build.verb(noun, "rollback", "tariff.rollback", "back to the tariff before the present one");
  build.verb(noun, "cancel", "tariff.cancel", "take away the tariff that waits");
  CLI::App* diff = build.verb(noun, "diff", "tariff.diff",
                              "what differs between two tariffs, for whom; needs no appliance");
  diff->add_option("BEFORE", line.tariff, "a FILE or FOLDER")->required();
  diff->add_option("AFTER", line.path, "a FILE or FOLDER")->required();
  CLI::App* format =
      build.verb(noun, "format", "tariff.format", "write tariff files as they are usually written");
  format->add_option("FILE|FOLDER", line.path, "a tariff")->required();
  build.verb(noun, "list", "tariff.list", "plans and services in force");
  CLI::App* price = build.verb(noun, "price", "tariff.price", "what an event costs, and why");
  price->add_option("--event", line.path, "a JSON file")->required();
  price->add_option("--tariff", line.tariff, "price with this FILE or FOLDER; needs no appliance");
  CLI::App* route = build.verb(noun, "route", "tariff.route",
                               "which supplier carries a call for the least; needs no appliance");
  route->add_option("--suppliers", line.route.suppliers, "tariffs: FILE or FOLDER,...")
      ->required()
      ->delimiter(',');
  route->add_option("--from", line.route.from, "who calls, international digits");
  route->add_option("--to", line.route.to, "who is called")->required();
  route->add_option("--at", line.route.at, "when: 2026-12-24T18:00:00+01:00; now if not said");
  route->add_option("--for", line.route.quantity, "how much: 60s if not said");
  route->add_option("--service", line.route.service, "voice if not said; sms, data, a context");
  CLI::App* replay = build.verb(noun, "replay", "tariff.replay",
                                "what past records would cost under another tariff; needs no "
                                "appliance");
  replay->add_option("FILE", line.path, "charging records, JSON lines")->required();
  replay->add_option("--tariff", line.tariff, "the other tariff, FILE or FOLDER")->required();
}

void add_looking(Builder& build, CLI::App& app, CommandLine& line) {
  CLI::App* session = build.noun("session", "credit-control sessions");
  CLI::App* list = build.verb(session, "list", "session.list", "open sessions");
  build.text(list, "IDENTITY", "who", "only of this account");
  CLI::App* show = build.verb(session, "show", "session.show", "one session");
  build.text(show, "SESSION-ID", "session_id", "")->required();
  CLI::App* drop = build.verb(session, "drop", "session.drop", "end a session, free its holds");
  build.text(drop, "SESSION-ID", "session_id", "")->required();
  CLI::App* reauth = build.verb(session, "reauth", "session.reauth", "ask the gateway to report");
  build.text(reauth, "SESSION-ID", "session_id", "")->required();
  build.number(reauth, "--rating-group", "rating_group", "this one only");
  build.text(reauth, "--pool", "pool", "the quota pool of this currency only: EUR");
  CLI::App* abort = build.verb(session, "abort", "session.abort", "tell the gateway to end it");
  build.text(abort, "SESSION-ID", "session_id", "")->required();
  CLI::App* peer = build.noun("peer", "Diameter neighbours");
  build.verb(peer, "list", "peer.list", "peers and their state");
  CLI::App* one_peer = build.verb(peer, "show", "peer.show", "the connections of one peer");
  build.text(one_peer, "PEER", "who", "an Origin-Host, or an address")->required();
  CLI::App* stats = build.verb(&app, "stats", "stats", "counters");
  stats->add_flag("--watch", line.watches, "a line every second, until interrupted");
  build.verb(&app, "top", "top", "counters on the whole screen, until interrupted");
  build.verb(&app, "audit", "audit", "is all that was put in still there?");
  CLI::App* cdr = build.noun("cdr", "charging records");
  build.verb(cdr, "list", "cdr.list", "the files");
  CLI::App* tail = build.verb(cdr, "tail", "cdr.tail", "the last records");
  tail->add_option("-n,--count", line.count, "how many")->capture_default_str();
  tail->add_flag("-f,--follow", line.watches, "and every new one, until interrupted");
  CLI::App* journal = build.noun("journal", "the journal's files; needs no appliance");
  for (const char* name : {"verify", "dump"}) {
    CLI::App* verb = build.verb(journal, name, std::string("journal.") + name,
                                name == std::string("dump") ? "every entry" : "is it whole?");
    verb->add_option("DIR", line.path, "a journal folder")->required();
  }
}

void add_trace(Builder& build, CommandLine& line) {
  CLI::App* noun = build.noun("trace", "messages and what they did to the account, as it happens");
  CLI::App* account = build.verb(noun, "account", "trace.account", "all of one subscriber");
  build.text(account, "IDENTITY|ACCOUNT", "who", "an identity or a name")->required();
  CLI::App* session = build.verb(noun, "session", "trace.session", "one session");
  build.text(session, "SESSION-ID", "session_id", "it need not be there yet")->required();
  CLI::App* peer =
      build.verb(noun, "peer", "trace.peer", "what a neighbour and we say of ourselves");
  build.text(peer, "PEER", "who", "an Origin-Host, or an address; it need not be there yet")
      ->required();
  for (CLI::App* verb : {account, session, peer}) {
    build.number(verb, "--seconds", "seconds", "how long: 1 to 3600; 60 if not said");
    build.number(verb, "--messages", "messages", "how many: 1 to 100000; 1000 if not said");
    verb->add_option("--pcap", line.path, "write the messages to this FILE as well, for Wireshark");
  }
}

}  // namespace

Parsed parse_command_line(const std::vector<std::string>& words) {
  Parsed parsed;
  CommandLine& line = parsed.line;
  CLI::App app("Operates a Tollgate appliance.", "tollctl");
  app.require_subcommand(1);
  app.fallthrough();
  CLI::Option* config = app.add_option("--config", line.config, "the appliance's configuration");
  app.add_option("--socket", line.socket, "the appliance's control socket")->excludes(config);
  app.add_flag("--json", line.is_json, "for programs: one object on standard output");
  Builder build(app, line);
  add_account(build, line);
  add_balances(build, app);
  add_vouchers(build, line);
  add_products(build);
  add_tariff(build, line);
  add_looking(build, app, line);
  add_trace(build, line);
  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    app.parse(std::move(reversed));
    parsed.is_good = true;
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream wrong;
    const int code = app.exit(error, out, wrong);
    parsed.exit_code = code == 0 ? 0 : 2;
    parsed.output = code == 0 ? out.str() : wrong.str();
  }
  return parsed;
}

}  // namespace tollgate::tollctl
