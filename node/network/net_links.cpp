// SPDX-License-Identifier: Apache-2.0
#include "node/network/net_links.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_tun.h>
#include <memory>
#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include "actors/unique_fd.hpp"

namespace forkfleet {

namespace {

/// Ends an object of libnl.
template <auto End>
struct with {
  template <class T>
  void operator()(T* x) const {
    End(x);
  }
};

using socket_ptr = std::unique_ptr<nl_sock, with<nl_socket_free>>;
using link_ptr = std::unique_ptr<rtnl_link, with<rtnl_link_put>>;
using addr_ptr = std::unique_ptr<rtnl_addr, with<rtnl_addr_put>>;
using route_ptr = std::unique_ptr<rtnl_route, with<rtnl_route_put>>;
using text_ptr = std::unique_ptr<nl_addr, with<nl_addr_put>>;

constexpr const char* tun_device = "/dev/net/tun";
constexpr const char* forwarding = "/proc/sys/net/ipv4/ip_forward";

/// The outcome of a call of libnl; what is there already is no error.
status outcome(int code, std::string_view what) {
  if (code >= 0 || code == -NLE_EXIST)
    return {};
  const bool is_denied = code == -NLE_PERM || code == -NLE_NOACCESS;
  return fail(is_denied ? ec::not_permitted : ec::io_failed,
              fmt::format("{}: {}", what, nl_geterror(code)));
}

expected<socket_ptr> open_socket() {
  auto socket = socket_ptr{nl_socket_alloc()};
  if (!socket)
    return fail(ec::io_failed, "no memory for a netlink socket");
  if (const int code = nl_connect(socket.get(), NETLINK_ROUTE); code < 0)
    return fail(ec::io_failed, fmt::format("rtnetlink: {}", nl_geterror(code)));
  return socket;
}

expected<text_ptr> parse_address(const std::string& text,
                                 int family = AF_INET) {
  nl_addr* result = nullptr;
  if (const int code = nl_addr_parse(text.c_str(), family, &result); code < 0)
    return fail(ec::invalid_request,
                fmt::format("{}: {}", text, nl_geterror(code)));
  return text_ptr{result};
}

/// Calls `change` with a socket and the link's number.
template <class Change>
status with_link(const std::string& name, Change change) {
  const auto socket = open_socket();
  if (!socket)
    return tl::unexpected(socket.error());
  const auto number = find_link(name);
  if (!number)
    return tl::unexpected(number.error());
  if (*number == 0)
    return fail(ec::io_failed, "no link is called " + name);
  return change(socket->get(), static_cast<int>(*number));
}

status add_address(nl_sock* socket, int number, const std::string& text) {
  const auto local = parse_address(text);
  if (!local)
    return tl::unexpected(local.error());
  const auto address = addr_ptr{rtnl_addr_alloc()};
  rtnl_addr_set_ifindex(address.get(), number);
  rtnl_addr_set_local(address.get(), local->get());
  return outcome(rtnl_addr_add(socket, address.get(), 0), text);
}

status remove_address(nl_sock* socket, int number, const std::string& text) {
  const auto local = parse_address(text);
  if (!local)
    return tl::unexpected(local.error());
  const auto address = addr_ptr{rtnl_addr_alloc()};
  rtnl_addr_set_ifindex(address.get(), number);
  rtnl_addr_set_local(address.get(), local->get());
  return outcome(rtnl_addr_delete(socket, address.get(), 0), text);
}

status set_up(nl_sock* socket, int number) {
  const auto change = link_ptr{rtnl_link_alloc()};
  rtnl_link_set_ifindex(change.get(), number);
  rtnl_link_set_flags(change.get(), IFF_UP);
  return outcome(rtnl_link_change(socket, change.get(), change.get(), 0),
                 "setting up a link");
}

} // namespace

expected<unsigned> find_link(const std::string& name) {
  const auto number = ::if_nametoindex(name.c_str());
  if (number == 0 && errno != ENODEV)
    return tl::unexpected(errno_failure(errno, "the link " + name));
  return number;
}

expected<std::vector<std::string>> link_names() {
  std::vector<std::string> result;
  auto* const list = ::if_nameindex();
  if (!list)
    return tl::unexpected(errno_failure(errno, "this host's links"));
  for (const auto* x = list; x->if_index != 0; ++x)
    result.emplace_back(x->if_name);
  ::if_freenameindex(list);
  return result;
}

expected<std::vector<link_address>> link_addresses() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0)
    return tl::unexpected(errno_failure(errno, "this host's addresses"));
  const auto owner = std::unique_ptr<ifaddrs, with<::freeifaddrs>>{list};
  std::vector<link_address> result;
  for (const auto* x = list; x; x = x->ifa_next) {
    if (!x->ifa_addr || x->ifa_addr->sa_family != AF_INET)
      continue;
    const auto* address = reinterpret_cast<const sockaddr_in*>(x->ifa_addr);
    char text[INET_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
    result.push_back({x->ifa_name, text});
  }
  return result;
}

status make_pair(const std::string& outer, const std::string& inner,
                 const std::string& space) {
  const auto socket = open_socket();
  if (!socket)
    return tl::unexpected(socket.error());
  const auto file = unique_fd{::open(space.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file)
    return tl::unexpected(errno_failure(errno, space));
  const auto link = link_ptr{rtnl_link_veth_alloc()};
  rtnl_link_set_name(link.get(), outer.c_str());
  const auto peer = link_ptr{rtnl_link_veth_get_peer(link.get())};
  rtnl_link_set_name(peer.get(), inner.c_str());
  rtnl_link_set_ns_fd(peer.get(), file.get());
  return outcome(
    rtnl_link_add(socket->get(), link.get(), NLM_F_CREATE | NLM_F_EXCL),
    "making the link " + outer);
}

status make_tap(const std::string& name) {
  const auto device = unique_fd{::open(tun_device, O_RDWR | O_CLOEXEC)};
  if (!device)
    return tl::unexpected(errno_failure(errno, tun_device));
  ifreq request = {};
  // What QEMU asks for when it opens it.
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(device.get(), TUNSETIFF, &request) != 0) {
    const int error = errno;
    // A VM has it open.
    if (error == EBUSY && find_link(name).value_or(0) != 0)
      return {};
    return tl::unexpected(errno_failure(error, "making the tap " + name));
  }
  if (::ioctl(device.get(), TUNSETPERSIST, 1) != 0)
    return tl::unexpected(errno_failure(errno, "keeping the tap " + name));
  return {};
}

status set_mac(const std::string& name, const std::string& mac) {
  return with_link(name, [&](nl_sock* socket, int number) -> status {
    const auto wanted = parse_address(mac, AF_LLC);
    if (!wanted)
      return tl::unexpected(wanted.error());
    const auto change = link_ptr{rtnl_link_alloc()};
    rtnl_link_set_ifindex(change.get(), number);
    rtnl_link_set_addr(change.get(), wanted->get());
    return outcome(rtnl_link_change(socket, change.get(), change.get(), 0),
                   "the Ethernet address of " + name);
  });
}

status set_up_link(const std::string& name, const std::string& address,
                   unsigned prefix) {
  const auto there = link_addresses();
  if (!there)
    return tl::unexpected(there.error());
  return with_link(name, [&](nl_sock* socket, int number) -> status {
    bool has_address = false;
    for (const auto& x : *there) {
      if (x.link != name)
        continue;
      has_address = has_address || x.address == address;
      if (x.address == address)
        continue;
      const auto old = fmt::format("{}/{}", x.address, prefix);
      if (auto removed = remove_address(socket, number, old); !removed)
        return removed;
    }
    const auto wanted = fmt::format("{}/{}", address, prefix);
    if (!has_address)
      if (auto added = add_address(socket, number, wanted); !added)
        return added;
    return set_up(socket, number);
  });
}

status set_up_link(const std::string& name) {
  return with_link(name, set_up);
}

status set_default_route(const std::string& gateway, const std::string& link) {
  return with_link(link, [&](nl_sock* socket, int number) -> status {
    const auto through = parse_address(gateway);
    const auto everywhere = parse_address("0.0.0.0/0");
    if (!through || !everywhere)
      return tl::unexpected((through ? everywhere : through).error());
    const auto route = route_ptr{rtnl_route_alloc()};
    rtnl_route_set_dst(route.get(), everywhere->get());
    // The route owns its hop.
    auto* const hop = rtnl_route_nh_alloc();
    rtnl_route_nh_set_ifindex(hop, number);
    rtnl_route_nh_set_gateway(hop, through->get());
    rtnl_route_add_nexthop(route.get(), hop);
    return outcome(
      rtnl_route_add(socket, route.get(), NLM_F_CREATE | NLM_F_REPLACE),
      "the default route");
  });
}

status remove_link(const std::string& name) {
  const auto found = find_link(name);
  if (!found)
    return tl::unexpected(found.error());
  if (*found == 0)
    return {};
  return with_link(name, [&](nl_sock* socket, int number) -> status {
    const auto link = link_ptr{rtnl_link_alloc()};
    rtnl_link_set_ifindex(link.get(), number);
    const int code = rtnl_link_delete(socket, link.get());
    if (code == -NLE_NODEV || code == -NLE_OBJ_NOTFOUND)
      return {};
    return outcome(code, "removing the link " + name);
  });
}

status allow_forwarding() {
  const auto file = unique_fd{::open(forwarding, O_RDWR | O_CLOEXEC)};
  char now = '0';
  if (!file || ::read(file.get(), &now, 1) != 1)
    return tl::unexpected(errno_failure(errno, forwarding));
  if (now == '0' && ::pwrite(file.get(), "1", 1, 0) != 1)
    return tl::unexpected(errno_failure(errno, forwarding));
  return {};
}

} // namespace forkfleet
