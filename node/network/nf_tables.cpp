// SPDX-License-Identifier: Apache-2.0
#include "node/network/nf_tables.hpp"

#include <array>
#include <cerrno>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "actors/unique_fd.hpp"

namespace forkfleet {

namespace {

constexpr const char* remedy =
  "load the kernel module nf_tables, or use a kernel that has it";
constexpr timeval patience{.tv_sec = 2, .tv_usec = 0};

// The smallest question there is: which generation of rules this is.
struct question {
  nlmsghdr head = {};
  nfgenmsg body = {};
};

question make_question() {
  auto result = question{};
  result.head.nlmsg_len = sizeof result;
  result.head.nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN;
  result.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  result.body.nfgen_family = AF_UNSPEC;
  result.body.version = NFNETLINK_V0;
  return result;
}

status judge(int error) {
  if (error == 0)
    return {};
  auto why = errno_failure(error, "nf_tables", ec::io_failed);
  if (error == EPERM || error == EACCES)
    why.code = ec::not_permitted;
  // So answers a netlink socket that knows no such part of the kernel.
  if (error == EPROTONOSUPPORT || error == EAFNOSUPPORT || error == EINVAL
      || error == EOPNOTSUPP)
    why = {ec::unsupported,
           "the kernel has no nf_tables (" + why.message + "); " + remedy};
  return tl::unexpected(std::move(why));
}

} // namespace

status find_nf_tables() {
  const auto socket =
    unique_fd{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER)};
  if (!socket)
    return judge(errno);
  const auto asked = make_question();
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience,
                   sizeof patience)
        != 0
      || ::send(socket.get(), &asked, sizeof asked, 0) < 0)
    return tl::unexpected(errno_failure(errno, "nf_tables"));
  alignas(nlmsghdr) auto room = std::array<char, 4096>{};
  const auto got = ::recv(socket.get(), room.data(), room.size(), 0);
  if (got < 0)
    return tl::unexpected(errno_failure(errno, "nf_tables"));
  const auto* head = reinterpret_cast<const nlmsghdr*>(room.data());
  if (static_cast<std::size_t>(got) < NLMSG_LENGTH(sizeof(nlmsgerr))
      || head->nlmsg_type != NLMSG_ERROR)
    return {};
  const auto* error = reinterpret_cast<const nlmsgerr*>(NLMSG_DATA(head));
  return judge(-error->error);
}

} // namespace forkfleet
