// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// tollctl against a control with a fake charge tile: words, answers, and what survives a restart.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/counters.hh"
#include "control/store.hh"
#include "tools/tollctl/control_fixture.hh"
#include "tools/tollctl/offline.hh"
#include "tools/tollctl/settings.hh"
#include "tools/tollctl/verbs.hh"

namespace tollgate::tollctl {
namespace {

using control::Refused;

Json args_of(const std::vector<std::string>& words, const std::string& verb) {
  const Parsed parsed = parse_command_line(words);
  EXPECT_TRUE(parsed.is_good) << parsed.output;
  EXPECT_EQ(parsed.line.verb, verb);
  return parsed.line.args;
}

TEST(CommandLineTest, WordsBecomeRequests) {
  EXPECT_EQ(args_of({"account", "add", "anna", "--identity", "msisdn:1", "--identity", "imsi:2",
                     "--plan", "prepaid", "--balance", "10.00EUR"},
                    "account.add")
                .dump(),
            R"({"account":"anna","identities":["msisdn:1","imsi:2"],"plan":"prepaid",)"
            R"("balance":"10.00EUR"})");
  EXPECT_EQ(args_of({"adjust", "msisdn:1", "-1.00EUR", "--reason", "double"}, "adjust")["amount"],
            "-1.00EUR");
  EXPECT_EQ(args_of({"topup", "anna", "5.00EUR", "--expires", "30d"}, "topup")["expires"], "30d");
  EXPECT_EQ(args_of({"transfer", "a", "b", "2.00EUR"}, "transfer")["to"], "b");
  EXPECT_TRUE(args_of({"session", "list"}, "session.list").empty());
  EXPECT_TRUE(parse_command_line({"stats", "--json", "--watch"}).line.is_json);
  EXPECT_EQ(parse_command_line({"--socket", "x", "audit"}).line.socket, "x");
  EXPECT_EQ(parse_command_line({"journal", "verify", "d"}).line.path, "d");
  EXPECT_EQ(args_of({"trace", "session", "s;1", "--messages", "5"}, "trace.session").dump(),
            R"({"session_id":"s;1","messages":5})");
  EXPECT_EQ(args_of({"trace", "peer", "pgw1.example"}, "trace.peer")["who"], "pgw1.example");
  EXPECT_EQ(args_of({"session", "reauth", "s;1", "--pool", "EUR"}, "session.reauth")["pool"],
            "EUR");
  EXPECT_EQ(parse_command_line({"trace", "account", "a", "--pcap", "f"}).line.path, "f");
}

TEST(CommandLineTest, OtherWordsAreAUsageError) {
  const std::vector<std::vector<std::string>> wrong = {{},
                                                       {"account"},
                                                       {"account", "add", "anna"},
                                                       {"account", "add", "anna", "--plan", "p"},
                                                       {"account", "show"},
                                                       {"adjust", "anna", "1.00EUR"},
                                                       {"topup", "anna"},
                                                       {"tariff", "price"},
                                                       {"cdr", "tail", "-n", "many"},
                                                       {"--config", "a", "--socket", "b", "audit"},
                                                       {"frobnicate"}};
  for (const auto& words : wrong) {
    const Parsed parsed = parse_command_line(words);
    EXPECT_FALSE(parsed.is_good) << (words.empty() ? "" : words.back());
    EXPECT_EQ(parsed.exit_code, 2);
    EXPECT_FALSE(parsed.output.empty());
  }
  EXPECT_EQ(parse_command_line({"--help"}).exit_code, 0);
}

TEST(SettingsTest, PathsAreRelativeToTheFile) {
  std::string folder = "/tmp/tollctl-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/a.toml";
  std::ofstream(path) << "[state]\nfolder = \"s\"\n[journal]\nfolder = \"/j\"\n";
  Settings settings;
  EXPECT_EQ(read_config(path, settings), "");
  EXPECT_EQ(settings.socket_path, folder + "/s/control.sock");
  EXPECT_EQ(settings.cdr_folder, folder + "/s/cdr");
  EXPECT_EQ(settings.journal_folder, "/j");
  std::ofstream(path) << "[state\n";
  EXPECT_NE(read_config(path, settings).find("a.toml:1:"), std::string::npos);
  std::ofstream(path) << "[memory]\n";
  EXPECT_NE(read_config(path, settings).find("[state] folder"), std::string::npos);
  std::filesystem::remove_all(folder);
}

class TollctlTest : public ControlTest {
 protected:
  Json import(const std::string& csv) {
    const std::string path = appliance_.folder() + "/import.csv";
    std::ofstream(path) << csv;
    Client client(appliance_.options().socket_path);
    return client.call("account.import", Json{{"path", path}});
  }
  void add_anna() {
    call({"account", "add", "anna", "--identity", "msisdn:4670", "--plan", "pack", "--balance",
          "10.00EUR"});
  }
  std::string balance() {
    return call({"account", "show", "anna"})["buckets"][0]["balance"].get<std::string>();
  }
  void restart() {
    control_.reset();
    start();
  }
};

TEST_F(TollctlTest, AnAccountFromFirstToLast) {
  start();
  add_anna();
  const Json shown = call({"account", "show", "tel:+4670"});
  EXPECT_EQ(shown["account"], "anna");
  EXPECT_EQ(shown["identities"].dump(), R"(["msisdn:4670"])");
  EXPECT_EQ(shown["state"], "active");
  ASSERT_EQ(shown["buckets"].size(), 2U);
  EXPECT_EQ(shown["buckets"][0]["balance"], "10.00");
  EXPECT_EQ(shown["buckets"][0]["reserved"], "0.00");
  EXPECT_EQ(shown["buckets"][1]["balance"], "1073741824");
  EXPECT_FALSE(shown["buckets"][1]["expires"].is_null());
  EXPECT_EQ(call({"topup", "anna", "5.00EUR"})["balance"], "15.00");
  call({"account", "set", "anna", "--add-identity", "imsi:24001"});
  EXPECT_EQ(call({"account", "show", "imsi:24001"})["account"], "anna");
  EXPECT_EQ(call({"account", "list"})["accounts"].size(), 1U);
  call({"account", "remove", "anna"});
  EXPECT_EQ(outcome_of({"account", "show", "msisdn:4670"}), "account_unknown");
  EXPECT_EQ(call({"audit"})["ok"], true);
}

TEST_F(TollctlTest, RefusalsChangeNothing) {
  start();
  add_anna();
  const auto add = [](const char* name, const char* identity, const char* plan) {
    return std::vector<std::string>{"account", "add", name, "--identity", identity, "--plan", plan};
  };
  EXPECT_EQ(outcome_of(add("anna", "msisdn:2", "pack")), "account_exists");
  EXPECT_EQ(outcome_of(add("berta", "msisdn:4670", "pack")), "identity_taken");
  EXPECT_EQ(outcome_of(add("berta", "msisdn:2", "gold")), "not_there");
  EXPECT_EQ(outcome_of(add("berta", "phone:2", "pack")), "bad_request");
  EXPECT_EQ(outcome_of({"topup", "berta", "1.00EUR"}), "account_unknown");
  EXPECT_EQ(outcome_of({"topup", "anna", "lots"}), "bad_request");
  EXPECT_EQ(outcome_of({"session", "drop", "x"}), "session_unknown");
  appliance_.outcome.store(ledger::Outcome::too_busy);
  EXPECT_EQ(outcome_of(add("berta", "msisdn:2", "pack")), "too_busy");
  EXPECT_EQ(outcome_of({"account", "set", "anna", "--add-identity", "msisdn:3"}), "too_busy");
  appliance_.outcome.store(ledger::Outcome::ok);
  EXPECT_EQ(outcome_of(add("berta", "msisdn:3", "pack")), "ok");
  EXPECT_EQ(call({"account", "show", "anna"})["identities"].size(), 1U);
}

TEST_F(TollctlTest, AKeyMakesATopUpHappenOnce) {
  start();
  add_anna();
  EXPECT_EQ(call({"topup", "anna", "1.00EUR", "--key", "k"})["balance"], "11.00");
  const Json again = call({"topup", "anna", "1.00EUR", "--key", "k"});
  EXPECT_EQ(again["balance"], "11.00");
  EXPECT_EQ(again["repeated"], true);
  EXPECT_EQ(outcome_of({"topup", "anna", "2.00EUR", "--key", "k"}), "bad_request");
  EXPECT_EQ(balance(), "11.00");
}

// Control ends while the tile has carried the command out but the answer was lost: the journal
// tells the next run. And while the tile has not even seen it: then it is carried out.
TEST_F(TollctlTest, ATopUpUnderWayIsSettledAfterARestart) {
  for (const bool is_carried_out : {true, false}) {
    appliance_.is_mute = false;
    appliance_.is_stopped = false;
    if (!control_) {
      start();
      add_anna();
    }
    const std::string before = balance();
    const u64 taken = appliance_.taken_count;
    (is_carried_out ? appliance_.is_mute : appliance_.is_stopped) = true;
    {
      Client client(appliance_.options().socket_path);
      std::thread asking([&] {
        try {
          client.call("topup", Json{{"who", "anna"}, {"amount", "1.00EUR"}});
        } catch (const std::exception&) {
        }
      });
      ::usleep(300'000);
      if (is_carried_out) {
        EXPECT_EQ(appliance_.taken_count, taken + 1);
      }
      control_.reset();
      asking.join();
    }
    appliance_.is_mute = false;
    appliance_.is_stopped = false;
    start();
    ::sleep(2);
    EXPECT_EQ(balance(), before == "10.00" ? "11.00" : "12.00") << is_carried_out;
    restart();
    ::sleep(1);
    EXPECT_EQ(balance(), before == "10.00" ? "11.00" : "12.00") << is_carried_out;
  }
}

// Stored, and then control ended before it was sent.
TEST_F(TollctlTest, ACommandThatWasNeverSentIsSentOnce) {
  start();
  add_anna();
  control_.reset();
  {
    control::Store store(appliance_.options().state_folder + "/provisioning.db");
    const auto account = store.account_by_name("anna");
    ASSERT_TRUE(account);
    ledger::Command command;
    command.kind = ledger::CommandKind::top_up;
    command.idempotency_key = 77;
    command.account = account->place;
    command.account_id = account->id;
    command.shard = static_cast<u8>(account->place.shard());
    command.bucket_count = 1;
    command.buckets[0] = {.amount = {1'000'000}, .unit = Unit::eur};
    const auto* octets = reinterpret_cast<const u8*>(&command);
    store.insert_command({.key = 77,
                          .client_key = "k",
                          .kind = "topup",
                          .account_id = account->id,
                          .detail = R"({"who":"anna","amount":"1.00EUR"})",
                          .payload = {octets, octets + sizeof command}});
  }
  start();
  ::sleep(1);
  EXPECT_EQ(balance(), "11.00");
  EXPECT_EQ(call({"topup", "anna", "1.00EUR", "--key", "k"})["repeated"], true);
  restart();
  ::sleep(1);
  EXPECT_EQ(balance(), "11.00");
}

TEST_F(TollctlTest, AccountsBeingMadeAreReconciled) {
  start();
  appliance_.is_mute = true;
  {
    Client client(appliance_.options().socket_path);
    std::thread asking([&] {
      try {
        client.call("account.add",
                    Json{{"account", "anna"}, {"identities", {"msisdn:1"}}, {"plan", "prepaid"}});
      } catch (const std::exception&) {
      }
    });
    while (appliance_.taken_count == 0) ::usleep(1000);
    control_.reset();
    asking.join();
  }
  appliance_.is_mute = false;
  {
    control::Store store(appliance_.options().state_folder + "/provisioning.db");
    control::Transaction transaction(store.database());
    control::IdentityRow identity;
    ASSERT_EQ(ledger::parse_identity("msisdn:2", identity.key, identity.text), "");
    store.insert_pending({.id = store.take_account_ids(1), .name = "never-sent", .plan = "prepaid"},
                         {identity});
    transaction.commit();
  }
  start();
  ::sleep(1);
  EXPECT_EQ(call({"account", "show", "msisdn:1"})["account"], "anna");
  EXPECT_EQ(outcome_of({"account", "show", "never-sent"}), "account_unknown");
  EXPECT_EQ(
      outcome_of({"account", "add", "never-sent", "--identity", "msisdn:2", "--plan", "prepaid"}),
      "ok");
}

TEST_F(TollctlTest, ManyAccountsAreImportedAllOrNothing) {
  start();
  std::string csv = "account,msisdn,plan,balance\n";
  for (int i = 0; i < 20'000; ++i) {
    csv += "a" + std::to_string(i) + ",4670" + std::to_string(100000 + i) + ",prepaid,1.00EUR\n";
  }
  EXPECT_THROW(import(csv + "bad line\n"), Refused);
  EXPECT_TRUE(call({"account", "list"})["accounts"].empty());
  const Json done = import(csv);
  EXPECT_EQ(done["imported"], 20'000);
  EXPECT_EQ(call({"account", "show", "msisdn:4670119999"})["account"], "a19999");
  const Json again = import(csv + "b,1,prepaid,\n");
  EXPECT_EQ(again["imported"], 1);
  EXPECT_EQ(again["there_already"], 20'000);
  EXPECT_EQ(call({"audit"})["units"][0]["put_in"], "20000.00");
}

TEST_F(TollctlTest, AnImportThatTheLedgerRefusesIsRepeated) {
  start();
  const std::string csv = "account,msisdn,plan\na,1,prepaid\nb,2,prepaid\n";
  appliance_.outcome.store(ledger::Outcome::identity_taken);
  EXPECT_THROW(import(csv), Refused);
  EXPECT_TRUE(call({"account", "list"})["accounts"].empty());
  appliance_.outcome.store(ledger::Outcome::ok);
  EXPECT_EQ(import(csv)["imported"], 2);
}

TEST_F(TollctlTest, CountersOfNetTilesAreAdded) {
  find_counters(appliance_.counters(), "net0")[0] = 3;
  find_counters(appliance_.counters(), "net1")[0] = 4;
  find_counters(appliance_.counters(), "net1")[2] = 5;
  find_counters(appliance_.counters(), "net0")[3] = 6;
  start();
  const Json stats = call({"stats"});
  EXPECT_EQ(stats["ccr_received"], 7);
  EXPECT_EQ(stats["result_codes"]["2001"], 5);
  EXPECT_EQ(stats["drops"]["bad_length"], 6);
}

TEST_F(TollctlTest, TariffsAreLoadedWholeOrNotAtAll) {
  start();
  const std::string path = appliance_.folder() + "/other.tariff";
  std::ofstream(path) << "language 1\nplan gold { currency }\n";
  Client client(appliance_.options().socket_path);
  try {
    client.call("tariff.load", Json{{"path", path}});
    FAIL() << "it was loaded";
  } catch (const Refused& refused) {
    EXPECT_EQ(refused.outcome, "bad_file");
    EXPECT_EQ(refused.extra["mistakes"][0]["line"], 2);
  }
  EXPECT_EQ(call({"tariff", "list"})["plans"].size(), 2U);
  EXPECT_FALSE(check_tariff(path)["ok"].get<bool>());
  const Json price = client.call("tariff.price", Json{{"plan", "prepaid"},
                                                      {"service_context", "32251@3gpp.org"},
                                                      {"rating_group", 10},
                                                      {"use", {"1MiB"}}});
  EXPECT_EQ(price["cost"].dump(), R"([{"unit":"EUR","amount":"0.11"}])");
}

// What an event says that the tariff does not know would change its price without a sound.
TEST_F(TollctlTest, AnEventOfWhichSomethingIsNotKnownHasNoPrice) {
  const std::string path = appliance_.folder() + "/counted.tariff";
  std::ofstream(path)
      << "plan p { currency EUR; counter used octets\n"
         "service data { rule default { steps by used; price first 1MB 2EUR per 1MB "
         "then 1EUR per 1MB }\nrule group 1 with gold free } }\n"
         "product gold { plans p }\n";
  const auto told = [&](const char* name, const Json& value) -> std::string {
    Json event{{"plan", "p"}, {"service_context", "data"}, {"use", {"1MB"}}};
    event[name] = value;
    try {
      return price_with(path, event)["cost"][0]["amount"].get<std::string>();
    } catch (const Refused& refused) {
      return refused.what();
    }
  };
  EXPECT_EQ(told("counted", Json{{"used", "1MB"}}), "1.00");
  EXPECT_EQ(told("counted", Json{{"usde", "1MB"}}),
            "argument 'counted': there is no counter 'usde'");
  EXPECT_EQ(told("counted", Json{{"used", "1EUR"}}),
            "argument 'counted': counter 'used' counts octets, not EUR");
  EXPECT_EQ(told("products", Json::array({"gold"})), "2.00");
  EXPECT_EQ(told("products", Json::array({"golden"})),
            "argument 'products': there is no product 'golden'");
  EXPECT_EQ(told("group", 1).substr(0, 41), "argument 'group' is not known, expected p");
}

TEST_F(TollctlTest, TariffsAreRolledBackAndWaitForTheirMoment) {
  start();
  const auto write = [&](const char* name, const char* cents) {
    const std::string path = appliance_.folder() + "/" + name + ".tariff";
    std::ofstream(path) << "plan p { currency EUR; service sms { rule default { price 0.0" << cents
                        << "EUR } } }\n";
    return path;
  };
  Client client(appliance_.options().socket_path);
  const auto price = [&] {
    const Json told = client.call(
        "tariff.price", Json{{"plan", "p"}, {"service_context", "sms"}, {"use", {"1event"}}});
    return told["cost"][0]["amount"].get<std::string>();
  };
  const std::string one = write("one", "1");
  const std::string two = write("two", "2");
  EXPECT_THROW(client.call("tariff.rollback", Json::object()), Refused);
  client.call("tariff.load", Json{{"path", one}});
  client.call("tariff.load", Json{{"path", two}});
  EXPECT_EQ(price(), "0.02");
  EXPECT_EQ(client.call("tariff.rollback", Json::object())["versions"][0]["in_force"], true);
  EXPECT_EQ(price(), "0.01");
  EXPECT_THROW(client.call("tariff.load", Json{{"path", one}, {"at", "tomorrow"}}), Refused);
  EXPECT_EQ(client.call("tariff.load",
                        Json{{"path", two}, {"at", "2090-01-01T00:00:00Z"}})["waiting"]["at"],
            "2090-01-01T00:00:00.000Z");
  EXPECT_EQ(price(), "0.01");
  client.call("tariff.cancel", Json::object());
  EXPECT_TRUE(client.call("tariff.versions", Json::object())["waiting"].is_null());
  client.call("tariff.load", Json{{"path", two}, {"at", "2020-01-01T00:00:00Z"}});
  for (int i = 0; i < 100 && price() != "0.02"; ++i) ::usleep(50'000);
  EXPECT_EQ(price(), "0.02");
  const Json diff = diff_tariffs(one, two);
  EXPECT_EQ(diff["differences"][0]["what"], "p/sms/default");
  EXPECT_EQ(format_tariffs(one)["changed"].size(), 0U);
}

TEST_F(TollctlTest, RecordsOfTheJournalAreInTheFiles) {
  start();
  add_anna();
  appliance_.journal().write_group(0, {appliance_.journal().charging_entry(3, "s;1", 1)});
  ::usleep(300'000);
  std::vector<Json> records;
  tail_cdrs(appliance_.options().cdr_folder, 10, false, [&](const Json& record) {
    records.push_back(record);
    return true;
  });
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0]["account"], "anna");
  EXPECT_EQ(records[0]["session_id"], "s;1");
  const Json report = verify_journal(appliance_.options().journal_folder);
  EXPECT_EQ(report["ok"], true);
  EXPECT_EQ(report["streams"][0]["groups"], 1);
}

TEST_F(TollctlTest, ExitCodesTellWhatHappened) {
  const std::string socket = appliance_.options().socket_path;
  const auto run_words = [](std::vector<std::string> words) {
    const Parsed parsed = parse_command_line(words);
    return parsed.is_good ? run(parsed.line) : parsed.exit_code;
  };
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_words({"--socket", socket, "audit"}), 3);
  EXPECT_EQ(run_words({"audit"}), 2);
  start();
  EXPECT_EQ(run_words({"--socket", socket, "audit"}), 0);
  EXPECT_EQ(run_words({"--socket", socket, "account", "show", "nobody"}), 1);
  EXPECT_EQ(run_words({"--socket", socket, "topup", "nobody"}), 2);
  EXPECT_EQ(run_words({"--socket", socket, "peer", "list"}), 0);
  EXPECT_EQ(run_words({"--socket", socket, "peer", "show", "nobody.example"}), 1);
  EXPECT_EQ(run_words({"journal", "verify", "/nowhere"}), 1);
  static_cast<void>(testing::internal::GetCapturedStdout());
}

}  // namespace
}  // namespace tollgate::tollctl
