// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/config.hh"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tollgate::app {
namespace {

namespace fs = std::filesystem;

// The least that a file must say: each line is a line of the file, so that places can be counted.
constexpr std::string_view good = R"([diameter]
identity = "ocs.example"
realm = "example"
[network]
address4 = "198.18.0.1/24"
[port]
kind = "tap"
address = "tap0"
[memory]
folder = "/dev/shm"
[journal]
folder = "journal"
[state]
folder = "../state"
[tariffs]
files = ["tariffs"]
)";

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() { fs::create_directories(folder_); }
  ~ConfigTest() override { fs::remove_all(folder_); }

  // "LINE:COLUMN: text" of every mistake.
  std::string read(std::string_view text) {
    const std::string file = folder_ + "/test.toml";
    std::ofstream(file) << text;
    std::string told;
    for (const ConfigMistake& mistake : read_config(file, config_)) {
      told += to_text("", mistake).substr(1) + "\n";
    }
    return told;
  }
  // The good file with one line replaced by another text, or with a text behind it.
  std::string with(std::string_view line, std::string_view other) {
    std::string text(good);
    const std::size_t at = text.find(line);
    EXPECT_NE(at, std::string::npos) << line;
    return text.replace(at, line.size(), other);
  }

  std::string folder_ =
      fs::temp_directory_path().string() + "/tollgate-config-test-" + std::to_string(getpid());
  Config config_;
};

TEST_F(ConfigTest, the_samples_are_good) {
  u32 count = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(SOURCE_ROOT "/config")) {
    if (entry.path().extension() != ".toml") continue;
    ++count;
    Config config;
    for (const ConfigMistake& mistake : read_config(entry.path(), config)) {
      ADD_FAILURE() << to_text(entry.path(), mistake);
    }
  }
  EXPECT_GE(count, 3u);
}

TEST_F(ConfigTest, a_short_file_has_defaults_and_paths_beside_it) {
  EXPECT_EQ(read(good), "");
  EXPECT_EQ(config_.name, "test");
  EXPECT_EQ(config_.identity, "ocs.example");
  EXPECT_EQ(config_.listen_port, 3868);
  EXPECT_EQ(config_.memory_folder, "/dev/shm");
  EXPECT_EQ(config_.journal_folder, folder_ + "/journal");
  EXPECT_EQ(config_.state_folder, fs::path(folder_ + "/../state").lexically_normal());
  EXPECT_EQ(config_.control_socket, config_.state_folder + "/control.sock");
  EXPECT_EQ(config_.cdr_folder, config_.state_folder + "/cdr");
  ASSERT_EQ(config_.tariff_paths.size(), 1u);
  EXPECT_EQ(config_.tariff_paths[0], folder_ + "/tariffs");
  EXPECT_EQ(config_.port.address, "tap0");  // the name of an interface is no path
  EXPECT_EQ(config_.ledger_totals.buckets_max, 2 * config_.ledger_totals.accounts_max);
  ASSERT_EQ(config_.cores.size(), 1u);
  EXPECT_EQ(config_.tile_count(TileKind::net), 1u);
  EXPECT_EQ(config_.tile_count(TileKind::charge), 1u);
  EXPECT_EQ(config_.tile_count(TileKind::journal), 1u);
  EXPECT_EQ(config_.charging.closed_linger, Duration::seconds(86'400));
}

TEST_F(ConfigTest, a_file_of_sockets_is_a_path) {
  EXPECT_EQ(read(with("kind = \"tap\"\naddress = \"tap0\"",
                      "kind = \"memif-server\"\naddress = \"memif.sock\"")),
            "");
  EXPECT_EQ(config_.port.address, folder_ + "/memif.sock");
}

TEST_F(ConfigTest, peers_have_rules) {
  EXPECT_EQ(read(std::string(good) + R"([[diameter.peers]]
host = "pgw1.example"
addresses = ["198.18.0.0/24", "fd00::/64"]
connections_max = 1
connect = "198.18.0.9"
[[diameter.peers]]
realm = "*.example"
)"),
            "");
  ASSERT_EQ(config_.peer_rules.all().size(), 2u);
  const PeerRule& called = config_.peer_rules.all()[0];
  EXPECT_EQ(called.host, "pgw1.example");
  EXPECT_EQ(called.addresses.size(), 2u);
  EXPECT_EQ(called.connections_max, 1u);
  ASSERT_TRUE(called.call.has_value());
  EXPECT_EQ(called.call->port, 3868);
  EXPECT_EQ(config_.peer_rules.all()[1].host, "*");
}

struct BrokenFile {
  std::string_view line;       // of the good file
  std::string_view other;      // what stands there instead
  std::string_view expected;   // how the first mistake begins
  std::string_view part = {};  // and what it holds
};

constexpr BrokenFile broken_files[] = {
    // no TOML
    {"realm = \"example\"", "realm = example", "3:9: "},
    {"[network]", "[network", "4:9: "},
    {"realm", "identity", "3:12: ", "identity"},
    // missing
    {"identity = \"ocs.example\"\n", "", "1:1: [diameter] identity: is missing"},
    {"identity = \"ocs.example\"", "identity = \"\"", "2:12: [diameter] identity: is empty"},
    {"[diameter]\nidentity = \"ocs.example\"\nrealm = \"example\"\n", "",
     "1:1: [diameter] identity: is missing"},
    {"address4 = \"198.18.0.1/24\"", "", "4:1: [network] address4: is missing"},
    {"files = [\"tariffs\"]", "files = []", "16:9: [tariffs] files: is missing"},
    {"[tariffs]\nfiles = [\"tariffs\"]\n", "", "1:1: [tariffs] files: is missing"},
    // unknown
    {"realm", "Realm", "1:1: [diameter] realm: is missing"},
    {"[memory]", "[memory]\nhuge_page = true", "10:1: [memory] has no key 'huge_page'"},
    {"[memory]", "[memories]\n[memory]", "9:1: there is no section [memories]"},
    {"[diameter]", "name = \"a\"\n[diameter]", "1:8: there is no section [name]"},
    {"[diameter]", "port = 3868\n[diameter]", "", "port"},
    {"\"ocs.example\"", "\"ocs example\"",
     "2:12: [diameter] identity: expected the name of a host"},
    // of another type
    {"realm = \"example\"", "realm = 5", "3:9: [diameter] realm: expected a text in quotes"},
    {"[memory]", "[memory]\nhuge_pages = \"yes\"",
     "10:14: [memory] huge_pages: expected true or false"},
    {"[memory]", "[memory]\ndpdk_mib = \"512\"",
     "10:12: [memory] dpdk_mib: expected a whole number from 64 to 65536"},
    {"[memory]", "[memory]\ndpdk_mib = 512.5", "10:12: [memory] dpdk_mib: expected a whole"},
    {"files = [\"tariffs\"]", "files = \"tariffs\"", "16:9: [tariffs] files: expected a list"},
    {"files = [\"tariffs\"]", "files = [\"tariffs\", 7]",
     "16:21: [tariffs] files: expected a text in quotes"},
    // out of range
    {"[diameter]", "[diameter]\nlisten_port = 0", "2:15: [diameter] listen_port: 0 is out of"},
    {"[diameter]", "[diameter]\nlisten_port = 65536", "2:15: [diameter] listen_port: 65536 is"},
    {"[diameter]", "[diameter]\nlisten_port = -1", "2:15: [diameter] listen_port: -1 is out"},
    {"[diameter]", "[diameter]\nwatchdog_seconds = 5",
     "2:20: [diameter] watchdog_seconds: 5 is out of range, expected 6 to 3600"},
    {"[memory]", "[ledger]\naccounts_max = 0\n[memory]", "10:16: [ledger] accounts_max: 0 is"},
    {"[journal]", "[journal]\nsegment_mib = 7", "12:15: [journal] segment_mib: 7 is out of"},
    // of the wrong form
    {"198.18.0.1/24", "198.18.0.1/33", "5:12: [network] address4: '198.18.0.1/33' is not an"},
    {"198.18.0.1/24", "198.18.0.256/24", "5:12: [network] address4: "},
    {"\"tap\"", "\"tape\"", "7:8: [port] kind: 'tape' is not a kind of port"},
    {"[port]", "[port]\nmac = \"02:00\"", "7:7: [port] mac: '02:00' is not a hardware address"},
    {"[diameter]", "[diameter]\nallow = [\"198.18.0.0/24\", \"here\"]",
     "2:27: [diameter] allow: 'here' is not an address"},
    {"[diameter]", "[[diameter.peers]]\nhots = \"a\"\n[diameter]", "2:8: [[diameter.peers]] hots:"},
    {"[diameter]", "[[diameter.peers]]\naddresses = [\"all\"]\n[diameter]",
     "2:13: [[diameter.peers]] addresses: expected addresses or nets"},
    {"[diameter]", "[[diameter.peers]]\nconnect = \"pgw1\"\n[diameter]",
     "2:11: [[diameter.peers]] connect: expected an address"},
    {"[diameter]", "[[diameter.peers]]\nconnect = \"198.18.0.9\"\n[diameter]",
     "1:1: [[diameter.peers]] connect: expected a host without '*'"},
    // of the topology
    {"[tariffs]", "[topology]\ncores = 1\n[tariffs]", "16:9: [topology] cores: expected a list"},
    {"[tariffs]", "[topology]\ncores = [1]\n[tariffs]", "16:10: [topology] cores: expected {"},
    {"[tariffs]", "[topology]\ncores = [{ tiles = [\"net0\", \"carge0\"] }]\n[tariffs]",
     "16:29: [topology] cores: expected a tile"},
    {"[tariffs]", "[topology]\ncores = [{ tiles = [\"net0\", \"charge0\"] }]\n[tariffs]",
     "16:9: [topology] cores: the journal tiles must be numbered from 0"},
    {"[tariffs]",
     "[topology]\ncores = [{ tiles = [\"net0\", \"net1\", \"charge0\", \"journal0\"] "
     "}]\n[tariffs]",
     "16:9: [topology] cores: a core has at most one net tile"},
    {"[tariffs]",
     "[topology]\ncores = [{ tiles = [\"net0\", \"charge1\", \"journal0\"] }]\n[tariffs]",
     "16:9: [topology] cores: the charge tiles must be numbered from 0"},
    {"[tariffs]",
     "[topology]\ncores = [{ cpus = 1, tiles = [\"net0\", \"charge0\", \"journal0\"] "
     "}]\n[tariffs]",
     "16:19: [topology] cores: 'cpus' is not"},
    {"[tariffs]",
     "[topology]\ncores = [{ cpu = 5000000000, tiles = [\"net0\", \"charge0\", \"journal0\"] "
     "}]\n[tariffs]",
     "16:18: [topology] cores: "},
    {"[tariffs]",
     "[topology]\ncores = [{ cpu = -2, tiles = [\"net0\", \"charge0\", \"journal0\"] "
     "}]\n[tariffs]",
     "16:18: [topology] cores: "},
};

TEST_F(ConfigTest, mistakes_are_told_with_their_place) {
  for (const BrokenFile& file : broken_files) {
    const std::string told = read(with(file.line, file.other));
    EXPECT_TRUE(told.starts_with(file.expected) && !told.empty())
        << file.other << "\n expected: " << file.expected << "\n found:    " << told;
    EXPECT_NE(told.find(file.part), std::string::npos) << told;
  }
}

TEST_F(ConfigTest, units_have_names) {
  const std::string units = "[units]\nnames = [\"points 4100\", \"EUR 4101\"]\n[tariffs]";
  const std::string told = read(with("[tariffs]", units));
  EXPECT_NE(told.find("[units] names: 'EUR 4101': 'EUR' is a unit already"), std::string::npos);
  EXPECT_EQ(std::count(told.begin(), told.end(), '\n'), 1) << told;
  EXPECT_EQ(read(with("[tariffs]",
                      "[units]\nnames = [\"points 4100\"]\n[charging]\n"
                      "thresholds = [\"5points\"]\n[tariffs]")),
            "");
  EXPECT_EQ(config_.charging.thresholds.all[0].unit, static_cast<Unit>(4100));
  EXPECT_NE(read(with("[tariffs]", "[charging]\nthresholds = [\"5points\"]\n[tariffs]")), "");
}

TEST_F(ConfigTest, names_of_hosts_are_bounded) {
  const std::string longest(255, 'o');
  EXPECT_EQ(read(with("ocs.example", longest)), "");
  EXPECT_TRUE(read(with("ocs.example", longest + "o")).starts_with("2:12: [diameter] identity: "));
}

TEST_F(ConfigTest, all_mistakes_are_told_at_once) {
  const std::string told = read("[diameter]\nrealm = 5\nfoo = 1\n");
  for (const char* part :
       {"identity: is missing", "realm: expected", "no key 'foo'", "address4: is missing",
        "kind: is missing", "folder: is missing", "files: is missing"}) {
    EXPECT_NE(told.find(part), std::string::npos) << part << " in\n" << told;
  }
}

TEST_F(ConfigTest, a_file_that_is_not_there_is_told) {
  EXPECT_FALSE(read_config(folder_ + "/nowhere.toml", config_).empty());
  EXPECT_FALSE(read_config(folder_, config_).empty());
}

}  // namespace
}  // namespace tollgate::app
