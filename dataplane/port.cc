// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "dataplane/port.hh"

#include <fmt/format.h>
#include <net/if.h>
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_memzone.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/check.hh"
#include "dataplane/buffer_pool.hh"
#include "dataplane/eal.hh"
#include "dataplane/lwip_system.hh"
#include "dataplane/port_internals.hh"

namespace tollgate::dataplane {

namespace {

struct KindText {
  PortKind kind;
  std::string_view text;
  std::string_view driver;
};

constexpr std::array kinds = std::to_array<KindText>({
    {PortKind::memif_server, "memif-server", "net_memif"},
    {PortKind::memif_client, "memif-client", "net_memif"},
    {PortKind::tap, "tap", "net_tap"},
    {PortKind::af_packet, "af_packet", "net_af_packet"},
    {PortKind::pcap, "pcap", "net_pcap"},
    {PortKind::loopback, "loopback", "net_ring"},
    {PortKind::pci, "pci", ""},
});

const KindText& text_of(PortKind kind) {
  const auto found = std::ranges::find(kinds, kind, &KindText::kind);
  check(found != kinds.end(), "every kind of port is in the table");
  return *found;
}

bool is_memif(PortKind kind) {
  return kind == PortKind::memif_server || kind == PortKind::memif_client;
}

// What a secondary has to know of a port, in DPDK's shared memory under the port's name.
struct PortRecord {
  static constexpr u64 magic_value = 0x746f'6c6c'706f'7274;  // "tollport"
  u64 magic;
  u64 receive_offloads;
  u64 transmit_offloads;
  PortKind kind;
  bool verifies_checksums;
  u8 mac[6];
  char device[64];
};

std::string zone_name(const std::string& port_name) {
  return "tollport_" + port_name;
}

// A locally administered address for a port that has none of its own.
MacAddress random_mac() {
  const u64 random = lwip_random();
  MacAddress mac;
  std::memcpy(mac.octets.data(), &random, mac.octets.size());
  mac.octets[0] = 0x02;
  return mac;
}

// Removes the socket file that an earlier server left; one that is alive is not ours to remove.
std::string clear_socket_file(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) return fmt::format("{} exists and is no socket", path);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  const bool alive =
      ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(probe);
  if (alive) return fmt::format("another server is listening on {}", path);
  unlink(path.c_str());
  return {};
}

std::string memif_arguments(const PortOptions& options, std::string& arguments) {
  if (options.address.empty()) return "a memif port needs the path of its socket file";
  if (options.address.size() >= sizeof sockaddr_un{}.sun_path)
    return fmt::format("the path {} is longer than a socket's path may be", options.address);
  const bool is_server = options.kind == PortKind::memif_server;
  if (is_server) {
    if (std::string error = clear_socket_file(options.address); !error.empty()) return error;
  }
  arguments = fmt::format("role={},socket={},socket-abstract=no,id=0,rsize={},bsize=2048,mac={}",
                          is_server ? "server" : "client", options.address,
                          std::countr_zero(options.descriptor_count),
                          to_text(options.mac.is_set() ? options.mac : random_mac()));
  return {};
}

std::string device_arguments(const PortOptions& options, std::string& arguments) {
  switch (options.kind) {
    case PortKind::memif_server:
    case PortKind::memif_client:
      return memif_arguments(options, arguments);
    case PortKind::tap:
      if (options.address.empty() || options.address.size() >= IFNAMSIZ)
        return "a tap port needs the name of its interface, at most 15 letters";
      arguments = "iface=" + options.address;
      if (options.mac.is_set()) arguments += ",mac=" + to_text(options.mac);
      return {};
    case PortKind::af_packet:
      if (if_nametoindex(options.address.c_str()) == 0)
        return fmt::format("there is no interface {} in this network namespace", options.address);
      arguments = fmt::format("iface={},qpairs={},framesz=2048,blocksz=4096,framecnt=1024",
                              options.address, options.queue_count);
      return {};
    case PortKind::pcap:
      if (access(options.address.c_str(), R_OK) != 0)
        return fmt::format("the capture file {} cannot be read", options.address);
      arguments = fmt::format("rx_pcap={},tx_pcap={}", options.address,
                              options.pcap_output.empty() ? "/dev/null" : options.pcap_output);
      return {};
    case PortKind::loopback:
    case PortKind::pci:
      return {};
  }
  return "unknown kind of port";
}

std::string check_options(const PortOptions& options) {
  if (!eal_is_running()) return "DPDK is not started";
  if (options.name.empty() || options.name.size() > 12)
    return fmt::format("a port's name has 1 to 12 letters: '{}'", options.name);
  if (options.queue_count == 0 || options.queue_count > 64)
    return fmt::format("a port has 1 to 64 queues, not {}", options.queue_count);
  if (!is_power_of_two(options.descriptor_count) || options.descriptor_count > 16384)
    return fmt::format("{} descriptors: must be a power of two up to 16384",
                       options.descriptor_count);
  if (options.buffer_count < 2 * options.descriptor_count)
    return fmt::format("{} packet buffers are too few for {} descriptors", options.buffer_count,
                       options.descriptor_count);
  if (options.mtu_bytes < 1280 || options.mtu_bytes > 1500)
    return fmt::format("an MTU of {} is not within 1280 to 1500", options.mtu_bytes);
  return {};
}

// Asks only for what the port can do.
rte_eth_conf configuration_of(const rte_eth_dev_info& info, const PortOptions& options) {
  rte_eth_conf conf{};
  if (options.kind != PortKind::pci) return conf;
  const u64 receive = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
  if ((info.rx_offload_capa & receive) == receive) conf.rxmode.offloads = receive;
  conf.txmode.offloads =
      info.tx_offload_capa & (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
                              RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE);
  const u64 spread = info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP);
  if (options.queue_count > 1 && spread != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = spread;
  }
  return conf;
}

std::string failed(const std::string& name, std::string_view step, int error) {
  return fmt::format("port {}: {} failed ({})", name, step,
                     rte_strerror(error < 0 ? -error : error));
}

}  // namespace

std::string_view to_text(PortKind kind) {
  return text_of(kind).text;
}

bool parse(std::string_view text, PortKind& kind) {
  const auto found = std::ranges::find(kinds, text, &KindText::text);
  if (found == kinds.end()) return false;
  kind = found->kind;
  return true;
}

Port::Port() = default;
Port::~Port() {
  close();
}
Port::Port(Port&&) noexcept = default;
Port& Port::operator=(Port&& other) noexcept {
  if (this != &other) {
    close();
    internals_ = std::move(other.internals_);
  }
  return *this;
}

namespace {

std::string create_device(const PortOptions& options, Port::Internals& port) {
  if (options.kind == PortKind::pci) {
    port.device = options.address;
    if (rte_eth_dev_get_port_by_name(port.device.c_str(), &port.port_id) == 0) return {};
    return fmt::format(
        "there is no NIC {} that DPDK may use; bind it to vfio-pci (dpdk-devbind.py) and name it "
        "in pci_addresses",
        options.address);
  }
  std::string arguments;
  if (std::string error = device_arguments(options, arguments); !error.empty()) return error;
  port.device = fmt::format("{}_{}", text_of(options.kind).driver, options.name);
  const int error = rte_eal_hotplug_add("vdev", port.device.c_str(), arguments.c_str());
  if (error != 0) return failed(options.name, "making the device " + port.device, error);
  if (rte_eth_dev_get_port_by_name(port.device.c_str(), &port.port_id) != 0)
    return failed(options.name, "finding the device " + port.device, ENODEV);
  return {};
}

std::string set_up_queues(const PortOptions& options, Port::Internals& port) {
  u16 rx_count = static_cast<u16>(options.descriptor_count);
  u16 tx_count = rx_count;
  rte_eth_dev_adjust_nb_rx_tx_desc(port.port_id, &rx_count, &tx_count);
  const int socket = rte_eth_dev_socket_id(port.port_id);
  const unsigned socket_id = static_cast<unsigned>(socket < 0 ? SOCKET_ID_ANY : socket);
  for (u32 queue = 0; queue < options.queue_count; ++queue) {
    const PoolName pool_name{.port = options.name, .queue_index = queue};
    rte_mempool* pool = create_buffer_pool(pool_name, options.buffer_count);
    if (pool == nullptr) {
      return fmt::format(
          "port {}: no memory for {} packet buffers of queue {}; give DPDK more memory or the "
          "queue fewer buffers",
          options.name, options.buffer_count, queue);
    }
    port.pools.push_back(pool);
    const u16 index = static_cast<u16>(queue);
    int error = rte_eth_rx_queue_setup(port.port_id, index, rx_count, socket_id, nullptr, pool);
    if (error != 0) return failed(options.name, "setting up a receive queue", error);
    error = rte_eth_tx_queue_setup(port.port_id, index, tx_count, socket_id, nullptr);
    if (error != 0) return failed(options.name, "setting up a transmit queue", error);
  }
  return {};
}

// A memif client starts by connecting to its server, which may not be there yet.
std::string start(const PortOptions& options, const Port::Internals& port) {
  constexpr Duration pause = Duration::milliseconds(20);
  Duration waited;
  while (true) {
    const int error = rte_eth_dev_start(port.port_id);
    if (error == 0) return {};
    if (options.kind != PortKind::memif_client) return failed(options.name, "starting it", error);
    if (waited >= options.wait_max) {
      return fmt::format("port {}: nobody listens on {}; is the appliance running?", options.name,
                         options.address);
    }
    usleep(static_cast<useconds_t>(pause.ns / 1000));
    waited = waited + pause;
  }
}

std::string configure(const PortOptions& options, Port::Internals& port) {
  rte_eth_dev_info info{};
  if (int error = rte_eth_dev_info_get(port.port_id, &info); error != 0)
    return failed(options.name, "asking what it can do", error);
  if (options.queue_count > std::min(info.max_rx_queues, info.max_tx_queues)) {
    return fmt::format("port {}: {} queues asked for, it has {}", options.name, options.queue_count,
                       std::min(info.max_rx_queues, info.max_tx_queues));
  }
  const rte_eth_conf conf = configuration_of(info, options);
  port.receive_offloads = conf.rxmode.offloads;
  port.transmit_offloads = conf.txmode.offloads;
  const u16 queues = static_cast<u16>(options.queue_count);
  if (int error = rte_eth_dev_configure(port.port_id, queues, queues, &conf); error != 0)
    return failed(options.name, "configuring it", error);
  if (std::string error = set_up_queues(options, port); !error.empty()) return error;
  if (std::string error = start(options, port); !error.empty()) return error;
  port.is_started = true;
  // IPv6 neighbour discovery is multicast; not every port can or need be told.
  rte_eth_allmulticast_enable(port.port_id);
  if (options.kind == PortKind::tap || options.kind == PortKind::af_packet)
    rte_eth_promiscuous_enable(port.port_id);
  return {};
}

// What both roles read from the running device.
void describe(Port::Internals& port) {
  port.checks_receive_checksums =
      port.verifies_checksums && (port.receive_offloads & RTE_ETH_RX_OFFLOAD_TCP_CKSUM) != 0;
  port.makes_ip_checksum = (port.transmit_offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0;
  port.makes_tcp_checksum = (port.transmit_offloads & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) != 0;
  port.reports_link = is_memif(port.kind);
  u16 mtu = 1500;
  rte_eth_dev_get_mtu(port.port_id, &mtu);
  port.mtu_bytes = std::min<u32>(port.mtu_bytes == 0 ? 1500 : port.mtu_bytes, mtu);
}

std::string publish(const Port::Internals& port) {
  const std::string name = zone_name(port.name);
  const rte_memzone* zone = rte_memzone_reserve(name.c_str(), sizeof(PortRecord), SOCKET_ID_ANY, 0);
  if (zone == nullptr) return failed(port.name, "publishing it to the other processes", rte_errno);
  auto* record = new (zone->addr) PortRecord{};
  record->kind = port.kind;
  record->verifies_checksums = port.verifies_checksums;
  record->receive_offloads = port.receive_offloads;
  record->transmit_offloads = port.transmit_offloads;
  std::memcpy(record->mac, port.mac.octets.data(), sizeof record->mac);
  port.device.copy(record->device, sizeof record->device - 1);
  __atomic_store_n(&record->magic, PortRecord::magic_value, __ATOMIC_RELEASE);
  return {};
}

}  // namespace

std::string Port::open(const PortOptions& options) {
  close();
  if (std::string error = check_options(options); !error.empty()) return error;
  internals_ = std::make_unique<Internals>();
  internals_->kind = options.kind;
  internals_->verifies_checksums = options.verifies_checksums;
  internals_->name = options.name;
  internals_->queue_count = options.queue_count;
  internals_->mtu_bytes = options.mtu_bytes;
  std::string error = create_device(options, *internals_);
  if (error.empty()) error = configure(options, *internals_);
  if (error.empty()) {
    describe(*internals_);
    rte_ether_addr address{};
    rte_eth_macaddr_get(internals_->port_id, &address);
    std::memcpy(internals_->mac.octets.data(), address.addr_bytes, 6);
    // The kernel's side of a tap has the port's own address: ours must be another.
    if (options.kind == PortKind::tap) internals_->mac.octets[5] ^= 0x80;
    if (options.mac.is_set()) internals_->mac = options.mac;
    error = publish(*internals_);
  }
  if (!error.empty()) close();
  return error;
}

std::string Port::join(const Join& join) {
  close();
  if (!eal_is_running()) return "DPDK is not started";
  const rte_memzone* zone = rte_memzone_lookup(zone_name(join.name).c_str());
  if (zone == nullptr) return fmt::format("the primary has opened no port named {}", join.name);
  const auto* record = static_cast<const PortRecord*>(zone->addr);
  if (__atomic_load_n(&record->magic, __ATOMIC_ACQUIRE) != PortRecord::magic_value)
    return fmt::format("the primary is not done with opening port {}; try again", join.name);
  auto port = std::make_unique<Internals>();
  port->is_primary = false;
  port->kind = record->kind;
  port->verifies_checksums = record->verifies_checksums;
  port->name = join.name;
  port->device = record->device;
  port->receive_offloads = record->receive_offloads;
  port->transmit_offloads = record->transmit_offloads;
  std::memcpy(port->mac.octets.data(), record->mac, 6);
  if (rte_eth_dev_get_port_by_name(record->device, &port->port_id) != 0)
    return fmt::format("the device {} of port {} cannot be used from a second process",
                       record->device, join.name);
  rte_eth_dev_info info{};
  rte_eth_dev_info_get(port->port_id, &info);
  port->queue_count = info.nb_rx_queues;
  if (join.queue_index >= port->queue_count)
    return fmt::format("port {} has {} queues, there is no queue {}", join.name, port->queue_count,
                       join.queue_index);
  for (u32 queue = 0; queue < port->queue_count; ++queue) {
    rte_mempool* pool = find_buffer_pool({.port = join.name, .queue_index = queue});
    if (pool == nullptr)
      return fmt::format("port {} has no packet buffers for queue {}", join.name, queue);
    port->pools.push_back(pool);
  }
  describe(*port);
  // memif copies frames: nobody but the process of this queue holds its buffers, so those that a
  // killed predecessor held are free. A NIC holds some itself; there they stay lost.
  if (is_memif(port->kind)) rebuild_buffer_pool(port->pools[join.queue_index]);
  internals_ = std::move(port);
  return {};
}

namespace {

// Frames that still stand in the rings of a loopback port would outlive their pool.
void drain(const Port::Internals& port) {
  std::array<rte_mbuf*, 32> frames;
  for (u16 queue = 0; queue < port.queue_count; ++queue) {
    while (const u16 count = rte_eth_rx_burst(port.port_id, queue, frames.data(), frames.size()))
      rte_pktmbuf_free_bulk(frames.data(), count);
  }
}

}  // namespace

void Port::close() {
  if (!internals_) return;
  const std::unique_ptr<Internals> port = std::move(internals_);
  if (!port->is_primary) return;
  u16 found = 0;
  if (rte_eth_dev_get_port_by_name(port->device.c_str(), &found) == 0) {
    if (port->kind == PortKind::loopback && port->is_started) drain(*port);
    rte_eth_dev_stop(port->port_id);
    if (port->kind == PortKind::pci) {
      rte_eth_dev_close(port->port_id);
    } else {
      rte_eal_hotplug_remove("vdev", port->device.c_str());
    }
  }
  for (rte_mempool* pool : port->pools) rte_mempool_free(pool);
  if (const rte_memzone* zone = rte_memzone_lookup(zone_name(port->name).c_str()))
    rte_memzone_free(zone);
}

bool Port::is_open() const {
  return internals_ != nullptr;
}

u32 Port::queue_count() const {
  return internals_ ? internals_->queue_count : 0;
}

MacAddress Port::mac() const {
  return internals_ ? internals_->mac : MacAddress{};
}

u32 Port::mtu_bytes() const {
  return internals_ ? internals_->mtu_bytes : 0;
}

bool Port::link_is_up() const {
  if (!internals_) return false;
  rte_eth_link link{};
  rte_eth_link_get_nowait(internals_->port_id, &link);
  return link.link_status == RTE_ETH_LINK_UP;
}

}  // namespace tollgate::dataplane
