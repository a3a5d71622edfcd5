// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/config.hh"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "app/peer_config.hh"
#include "app/toml_reader.hh"
#include "base/unit_names.hh"

namespace tollgate::app {
namespace {

constexpr i64 count_max = i64{1} << 31;
constexpr i64 cpu_max = 1023;
constexpr std::size_t identity_bytes_max = 255;  // of a DiameterIdentity

// A DiameterIdentity is a host's name: peers refuse anything else.
void read_identity(TomlReader& reader, const char* key, std::string& value) {
  reader.text("diameter", key, value, true);
  const bool is_name = std::all_of(value.begin(), value.end(), [](char letter) {
    return letter == '.' || letter == '-' || (letter >= '0' && letter <= '9') ||
           (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
  });
  if (is_name && value.size() <= identity_bytes_max) return;
  reader.mistake("diameter", key, "expected the name of a host, at most 255 octets");
  value.clear();
}

bool parse_tile(std::string_view text, TileName& tile) {
  struct Row {
    std::string_view name;
    TileKind kind;
  };
  for (const Row& row : {Row{"net", TileKind::net}, Row{"charge", TileKind::charge},
                         Row{"journal", TileKind::journal}}) {
    if (!text.starts_with(row.name)) continue;
    const std::string_view digits = text.substr(row.name.size());
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), tile.number);
    tile.kind = row.kind;
    return read.ec == std::errc() && read.ptr == digits.data() + digits.size() && tile.number < 16;
  }
  return false;
}

void read_diameter(TomlReader& reader, Config& config) {
  read_identity(reader, "identity", config.identity);
  read_identity(reader, "realm", config.realm);
  reader.text("diameter", "product_name", config.product_name);
  reader.number("diameter", "listen_port", {1, 65535}, config.listen_port);
  reader.number("diameter", "connections_max", {1, 16384}, config.connections_max);
  reader.number("diameter", "message_bytes_max", {4096, 1 << 24}, config.message_bytes_max);
  reader.number("diameter", "pending_max", {64, 1 << 22}, config.pending_max);
  reader.duration("diameter", "watchdog_seconds", {6, 3600}, Duration::seconds(1), config.watchdog);
  reader.each_text("diameter", "allow", [&](const std::string& text, const toml::node& node) {
    dataplane::IpPrefix prefix;
    if (dataplane::parse(text, prefix)) {
      config.allowed_peers.push_back(prefix);
    } else {
      reader.mistake(node, fmt::format("[diameter] allow: '{}' is not an address or a net such as "
                                       "198.18.0.0/24",
                                       text));
    }
  });
}

void read_network(TomlReader& reader, Config& config) {
  const auto parse_prefix = [](std::string_view text, dataplane::IpPrefix& value) {
    return dataplane::parse(text, value);
  };
  const auto parse_address = [](std::string_view text, dataplane::IpAddress& value) {
    return dataplane::parse(text, value);
  };
  reader.parsed("network", "address4", "an address with its net, such as 198.18.0.1/24",
                parse_prefix, config.address4);
  reader.parsed("network", "address6", "an address with its net, such as 2001:db8::1/64",
                parse_prefix, config.address6);
  reader.parsed("network", "gateway4", "an address", parse_address, config.gateway4);
  reader.parsed("network", "gateway6", "an address", parse_address, config.gateway6);
  if (!config.address4.address.is_set() && !config.address6.address.is_set()) {
    reader.mistake("network", "address4",
                   "is missing, and address6 as well: expected at least one");
  }
}

void read_port(TomlReader& reader, Config& config) {
  dataplane::PortOptions& port = config.port;
  const auto parse_kind = [](std::string_view text, dataplane::PortKind& value) {
    return dataplane::parse(text, value);
  };
  reader.parsed("port", "kind",
                "a kind of port: memif-server, memif-client, tap, af_packet, pcap or pci",
                parse_kind, port.kind, true);
  const bool is_file = port.kind == dataplane::PortKind::memif_server ||
                       port.kind == dataplane::PortKind::memif_client ||
                       port.kind == dataplane::PortKind::pcap;
  if (is_file) {
    reader.path("port", "address", port.address, true);
  } else {
    reader.text("port", "address", port.address, true);
  }
  reader.path("port", "pcap_output", port.pcap_output);
  reader.number("port", "descriptors", {64, 32768}, port.descriptor_count);
  reader.number("port", "buffers", {1024, 1 << 22}, port.buffer_count);
  reader.number("port", "mtu", {1280, 1500}, port.mtu_bytes);
  reader.flag("port", "verify_checksums", port.verifies_checksums);
  reader.parsed(
      "port", "mac", "a hardware address such as 02:00:00:00:00:01",
      [](std::string_view text, dataplane::MacAddress& value) {
        return dataplane::parse(text, value);
      },
      port.mac);
}

void read_storage(TomlReader& reader, Config& config) {
  reader.path("memory", "folder", config.memory_folder, true);
  reader.flag("memory", "huge_pages", config.huge_pages);
  reader.number("memory", "dpdk_mib", {64, 65536}, config.dpdk_mib);
  ledger::LedgerSizes::Totals& totals = config.ledger_totals;
  reader.number("ledger", "accounts_max", {1, count_max}, totals.accounts_max);
  totals.buckets_max = totals.accounts_max * 2;
  reader.number("ledger", "buckets_max", {1, count_max}, totals.buckets_max);
  totals.sessions_max = totals.accounts_max / 4 + 10'000;
  reader.number("ledger", "sessions_max", {1, count_max}, totals.sessions_max);
  config.identities_max = totals.accounts_max * 2;
  reader.number("ledger", "identities_max", {1, count_max}, config.identities_max);
  u64 tariff_mib = 16;
  reader.number("ledger", "tariff_mib", {1, 1024}, tariff_mib);
  config.tariff_bytes_max = tariff_mib << 20;
  reader.path("journal", "folder", config.journal_folder, true);
  u64 segment_mib = 256;
  reader.number("journal", "segment_mib", {8, 4096}, segment_mib);
  config.journal_segment_bytes = segment_mib << 20;
  reader.number("journal", "segments_ahead", {1, 64}, config.journal_segments_ahead);
  reader.duration("snapshot", "interval_seconds", {1, 86'400}, Duration::seconds(1),
                  config.snapshot_interval);
  u64 snapshot_journal_mib = 4096;
  reader.number("snapshot", "journal_mib", {8, 1 << 20}, snapshot_journal_mib);
  config.snapshot_journal_bytes = snapshot_journal_mib << 20;
  u64 snapshot_mib_per_second = 200;
  reader.number("snapshot", "mib_per_second", {1, 1 << 20}, snapshot_mib_per_second);
  config.snapshot_bytes_per_second = snapshot_mib_per_second << 20;
  reader.path("state", "folder", config.state_folder, true);
  config.control_socket = config.state_folder + "/control.sock";
  reader.path("control", "socket", config.control_socket);
  config.cdr_folder = config.state_folder + "/cdr";
  reader.path("cdr", "folder", config.cdr_folder);
  u64 rotate_mib = 64;
  reader.number("cdr", "rotate_mib", {1, 65536}, rotate_mib);
  config.cdr_rotate_bytes = rotate_mib << 20;
  config.cdr_rotate_after = Duration::seconds(900);
  reader.duration("cdr", "rotate_seconds", {1, 86400}, Duration::seconds(1),
                  config.cdr_rotate_after);
  for (const std::string& path : reader.texts("tariffs", "files")) {
    config.tariff_paths.push_back(reader.absolute(path));
  }
  if (config.tariff_paths.empty()) {
    reader.mistake("tariffs", "files", "is missing, expected a list of tariff files or folders");
  }
}

void read_core(TomlReader& reader, const toml::node& node, Config& config) {
  const toml::table* table = node.as_table();
  if (table == nullptr) {
    reader.mistake(node, "[topology] cores: expected { cpu = 0, tiles = [\"net0\", ...] }");
    return;
  }
  CoreConfig core;
  for (const auto& [key, value] : *table) {
    if (key.str() == "cpu" && value.is_integer()) {
      const i64 cpu = value.as_integer()->get();
      if (cpu < -1 || cpu > cpu_max) {
        reader.mistake(value, fmt::format("[topology] cores: there is no cpu {}, expected 0 to {}, "
                                          "or -1 for any",
                                          cpu, cpu_max));
      } else {
        core.cpu = static_cast<i32>(cpu);
      }
    } else if (key.str() == "tiles" && value.is_array()) {
      for (const toml::node& element : *value.as_array()) {
        TileName tile;
        if (element.is_string() && parse_tile(element.as_string()->get(), tile)) {
          core.tiles.push_back(tile);
        } else {
          reader.mistake(element,
                         "[topology] cores: expected a tile: net, charge or journal and a number "
                         "from 0 to 15");
        }
      }
    } else {
      reader.mistake(value, fmt::format("[topology] cores: '{}' is not cpu (a number) or tiles (a "
                                        "list)",
                                        key.str()));
    }
  }
  config.cores.push_back(std::move(core));
}

// Tiles of a kind are numbered from 0 without a gap, each once, at least one of each.
void check_tiles(TomlReader& reader, const Config& config) {
  for (const TileKind kind : {TileKind::net, TileKind::charge, TileKind::journal}) {
    std::vector<u32> numbers;
    for (const CoreConfig& core : config.cores) {
      for (const TileName& tile : core.tiles) {
        if (tile.kind == kind) numbers.push_back(tile.number);
      }
    }
    std::sort(numbers.begin(), numbers.end());
    bool is_sound = !numbers.empty();
    for (u32 i = 0; i < numbers.size(); ++i) is_sound = is_sound && numbers[i] == i;
    if (!is_sound) {
      reader.mistake(
          "topology", "cores",
          fmt::format("the {} tiles must be numbered from 0, each once",
                      to_text(TileName{kind, 0}).substr(0, to_text(TileName{kind, 0}).size() - 1)));
    }
  }
  for (const CoreConfig& core : config.cores) {
    const auto nets = std::count_if(core.tiles.begin(), core.tiles.end(), [](const TileName& tile) {
      return tile.kind == TileKind::net;
    });
    if (nets > 1) reader.mistake("topology", "cores", "a core has at most one net tile");
  }
  const auto rules = config.peer_rules.all();
  if (config.tile_count(TileKind::net) > 1 &&
      std::any_of(rules.begin(), rules.end(), [](const PeerRule& rule) { return !!rule.call; })) {
    // The answers to what one queue sends may come to any of the port's queues.
    reader.mistake("diameter", "peers", "connect needs a topology with one net tile");
  }
  if (config.single_process && config.tile_count(TileKind::net) > 1) {
    reader.mistake("topology", "cores", "a single process has one net tile");
  }
}

void read_topology(TomlReader& reader, Config& config) {
  reader.duration("topology", "yield_us", {0, 1'000'000}, Duration::microseconds(1),
                  config.yield_interval);
  const toml::node* node = reader.find("topology", "cores");
  if (node == nullptr) {
    config.cores.push_back(
        {.cpu = -1, .tiles = {{TileKind::net, 0}, {TileKind::charge, 0}, {TileKind::journal, 0}}});
    return;
  }
  if (!node->is_array()) {
    reader.mistake(*node, "[topology] cores: expected a list of cores");
    return;
  }
  for (const toml::node& element : *node->as_array()) read_core(reader, element, config);
  check_tiles(reader, config);
}

// First of all, so that amounts in all that follows may be written with these names. A process
// reads one configuration.
void read_units(TomlReader& reader) {
  forget_unit_names();
  reader.each_text("units", "names", [&](const std::string& text, const toml::node& node) {
    const std::string why = name_unit(text);
    if (!why.empty()) reader.mistake(node, fmt::format("[units] names: '{}': {}", text, why));
  });
}

void read_thresholds(TomlReader& reader, ledger::Thresholds& thresholds) {
  reader.each_text("charging", "thresholds", [&](const std::string& text, const toml::node& node) {
    ledger::Threshold threshold;
    const std::string why = parse_amount(text, threshold.below, threshold.unit);
    if (!why.empty()) {
      reader.mistake(node, fmt::format("[charging] thresholds: '{}': {}", text, why));
    } else if (thresholds.count == ledger::Thresholds::count_max) {
      reader.mistake(node, "[charging] thresholds: expected at most eight amounts");
    } else {
      thresholds.all[thresholds.count++] = threshold;
    }
  });
}

void read_charging(TomlReader& reader, Config& config) {
  reader.duration("charging", "session_silence_seconds", {1, 31'536'000}, Duration::seconds(1),
                  config.charging.session_silence_max);
  reader.duration("charging", "closed_linger_seconds", {1, 2'592'000}, Duration::seconds(1),
                  config.charging.closed_linger);
  reader.number("charging", "validity_jitter_percent", {0, 50},
                config.charging.validity_jitter_percent);
  read_thresholds(reader, config.charging.thresholds);
  u32 count = 0;
  reader.each_text("charging", "low_balance", [&](const std::string& text, const toml::node& node) {
    ChargePolicy::LowBalance low;
    const std::string why = parse_amount(text, low.below, low.currency);
    if (!why.empty() || !is_money(low.currency)) {
      reader.mistake(node, fmt::format("[charging] low_balance: '{}' is no amount of money", text));
    } else if (count == ChargePolicy::low_balances_max) {
      reader.mistake(node, "[charging] low_balance: expected at most four amounts");
    } else {
      config.charging.low_balances[count++] = low;
    }
  });
}

// Folders of profiles, and which peer has which.
void read_profile_section(TomlReader& reader, Config& config) {
  std::vector<std::string> folders = reader.texts("profiles", "folders");
  const bool has_own = std::filesystem::is_directory(reader.absolute("profiles"));
  if (folders.empty() && has_own) folders.emplace_back("profiles");
  for (const std::string& folder : folders) {
    const std::string wrong = read_profiles(reader.absolute(folder), config.profiles);
    if (!wrong.empty()) reader.mistake("profiles", "folders", wrong.substr(0, wrong.size() - 1));
  }
  reader.each_text("profiles", "peers", [&](const std::string& text, const toml::node& node) {
    const std::size_t blank = text.find(' ');
    const std::string name = blank == std::string::npos ? "" : text.substr(blank + 1);
    if (config.profiles.find(name) != nullptr) {
      config.profiles.assign(text.substr(0, blank), name);
    } else {
      reader.mistake(node, fmt::format("[profiles] peers: '{}': expected an Origin-Host and the "
                                       "name of a profile, such as \"smf1.example open5gs\"",
                                       text));
    }
  });
}

}  // namespace

u32 Config::tile_count(TileKind kind) const {
  u32 count = 0;
  for (const CoreConfig& core : cores) {
    for (const TileName& tile : core.tiles) count += tile.kind == kind ? 1 : 0;
  }
  return count;
}

std::string to_text(TileName tile) {
  constexpr std::string_view names[] = {"net", "charge", "journal"};
  return fmt::format("{}{}", names[static_cast<u32>(tile.kind)], tile.number);
}

std::vector<ConfigMistake> read_config(const std::string& file, Config& config) {
  config = {};
  config.file = std::filesystem::absolute(file).string();
  config.product_name = "Tollgate";
  config.ledger_totals.accounts_max = 100'000;
  config.charging.validity_jitter_percent = 10;
  toml::table root;
  try {
    root = toml::parse_file(file);
  } catch (const toml::parse_error& error) {
    return {{.line = error.source().begin.line,
             .column = error.source().begin.column,
             .text = std::string(error.description())}};
  }
  TomlReader reader(root, std::filesystem::path(config.file).parent_path().string());
  read_units(reader);
  config.name = std::filesystem::path(file).stem().string();
  reader.text("appliance", "name", config.name);
  reader.flag("appliance", "single_process", config.single_process);
  read_diameter(reader, config);
  read_peers(reader, config);
  read_network(reader, config);
  read_port(reader, config);
  read_storage(reader, config);
  read_charging(reader, config);
  read_profile_section(reader, config);
  read_topology(reader, config);
  reader.note_unknown_keys();
  config.port.queue_count = config.tile_count(TileKind::net);
  return reader.take_mistakes();
}

}  // namespace tollgate::app
