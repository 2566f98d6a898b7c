// SPDX-License-Identifier: Apache-2.0
#include "actors/link/frame_check.hpp"

#include <algorithm>

#include "actors/link/limits.hpp"

namespace forkfleet {

namespace {

constexpr std::size_t header_size = 32;
constexpr uint64_t basp_version = 3;
constexpr std::size_t server_handshake_max = 16 * 1024;
constexpr std::size_t pair_size = 2 * node_bytes_size;
constexpr std::size_t down_max = 4 * 1024;
constexpr std::size_t info_request_max = 256;
constexpr std::size_t listed_names_max = 64;

constexpr uint8_t named_receiver_flag = 0x01;
constexpr uint8_t select_connection_flag = 0x02;
// The upper of the two category bits of a message id: streams.
constexpr uint64_t stream_category = 0x2000000000000000;
// "default", as CAF packs it: the kind of node identity that programs have.
constexpr std::size_t kind_size = sizeof(uint64_t);
// CAF's remote spawn service. A fresh connection always asks it for news;
// what it could do beyond that is nobody's business.
constexpr std::string_view spawn_service = "SpawnServ";

enum class operation : uint8_t {
  server_handshake,
  client_handshake,
  direct_message,
  routed_message,
  monitor_message,
  down_message,
  heartbeat,
};

// CAF packs a name of at most ten characters into a number, six bits each.
constexpr uint64_t packed(std::string_view name) {
  constexpr std::string_view letters =
    " 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
  auto sum = uint64_t{0xF};
  for (const auto c : name)
    sum = (sum << 6) | letters.find(c);
  return sum;
}

constexpr std::size_t payload_max_of(operation x) {
  switch (x) {
    case operation::server_handshake:
      return server_handshake_max;
    case operation::client_handshake:
      return node_bytes_size;
    case operation::direct_message:
      return frame_payload_max;
    case operation::monitor_message:
      return pair_size;
    case operation::down_message:
      return down_max;
    default:
      return 0;
  }
}

bool walk_names(wire_reader& in) {
  auto count = std::size_t{0};
  auto name = std::string_view{};
  if (!in.length(count) || count > listed_names_max)
    return false;
  for (auto i = std::size_t{0}; i < count; ++i)
    if (!in.text(name))
      return false;
  return true;
}

frame_fault fault_of(content_verdict x) {
  switch (x) {
    case content_verdict::passes:
      return frame_fault::none;
    case content_verdict::forbidden:
      return frame_fault::forbidden_content;
    case content_verdict::malformed:
      return frame_fault::malformed_content;
    case content_verdict::foreign:
      return frame_fault::foreign_node;
  }
  return frame_fault::malformed_content;
}

} // namespace

struct frame_check::header {
  operation what = operation::heartbeat;
  uint16_t padding = 0;
  uint8_t flags = 0;
  uint32_t payload_size = 0;
  uint64_t data = 0;
  uint64_t source = 0;
  uint64_t target = 0;

  bool is_for_service() const {
    return what == operation::direct_message && flags == named_receiver_flag;
  }

  static header read(std::string_view bytes) {
    auto in = wire_reader{bytes};
    auto x = header{};
    auto number = uint8_t{0};
    in.number(number);
    x.what = static_cast<operation>(number);
    in.number(x.padding);
    in.number(x.flags);
    in.number(x.payload_size);
    in.number(x.data);
    in.number(x.source);
    in.number(x.target);
    return x;
  }
};

frame_check::frame_check(side which, peer_role peer, std::string_view own_node)
  : side_(which), peer_(peer), own_node_(own_node) {
  // nop
}

frame_fault frame_check::feed(std::string_view bytes, std::vector<char>& out) {
  if (fault_ != frame_fault::none)
    return fault_;
  pending_.append(bytes);
  auto rest = std::string_view{pending_};
  while (rest.size() >= header_size) {
    const auto head = header::read(rest);
    fault_ = check_header(head);
    const auto size = header_size + head.payload_size;
    if (fault_ != frame_fault::none || rest.size() < size)
      break;
    const auto frame = rest.substr(0, size);
    fault_ = check_frame(head, frame.substr(header_size));
    if (fault_ != frame_fault::none)
      break;
    if (!head.is_for_service())
      out.insert(out.end(), frame.begin(), frame.end());
    ++frames_;
    rest.remove_prefix(size);
  }
  pending_.erase(0, pending_.size() - rest.size());
  return fault_;
}

frame_fault frame_check::check_header(const header& x) const {
  if (x.what > operation::heartbeat || x.padding != 0)
    return frame_fault::bad_header;
  const auto first = side_ == side::accepted ? operation::client_handshake
                                             : operation::server_handshake;
  const auto is_hello = x.what == operation::client_handshake
                        || x.what == operation::server_handshake;
  // A client repeats its handshake once it has seen the server's.
  const auto may_repeat = side_ == side::accepted;
  if (x.what == operation::routed_message || (is_hello && x.what != first)
      || (peer_node_.empty() && x.what != first)
      || (!peer_node_.empty() && is_hello && !may_repeat))
    return frame_fault::unexpected_operation;
  if (x.payload_size > payload_max_of(x.what))
    return frame_fault::too_long;
  if (x.payload_size == 0 && x.what != operation::heartbeat)
    return frame_fault::bad_length;
  const auto flags_allowed =
    x.what == operation::client_handshake ? select_connection_flag
    : x.what == operation::direct_message ? named_receiver_flag
                                          : uint8_t{0};
  if ((x.flags & ~flags_allowed) != 0)
    return frame_fault::bad_header;
  if (x.is_for_service()
      && (x.target != packed(spawn_service)
          || x.payload_size > info_request_max))
    return frame_fault::named_receiver;
  return frame_fault::none;
}

frame_fault frame_check::check_frame(const header& x,
                                     std::string_view payload) {
  switch (x.what) {
    case operation::server_handshake:
      return check_server_handshake(x, payload);
    case operation::client_handshake:
      if (x.data != 0 || x.source != 0 || x.target != 0)
        return frame_fault::bad_header;
      return check_client_handshake(payload);
    case operation::direct_message:
      if ((x.data & stream_category) != 0)
        return frame_fault::stream_message;
      if (x.target == 0)
        return frame_fault::bad_header;
      return x.is_for_service() ? frame_fault::none : check_direct(payload);
    case operation::monitor_message:
      if (x.data != 0 || x.source != 0 || x.target == 0)
        return frame_fault::bad_header;
      return check_nodes(payload, false);
    case operation::down_message:
      if (x.data != 0 || x.source == 0 || x.target != 0)
        return frame_fault::bad_header;
      return check_nodes(payload, true);
    default:
      return x.data == 0 && x.source == 0 && x.target == 0
               ? frame_fault::none
               : frame_fault::bad_header;
  }
}

frame_fault frame_check::check_client_handshake(std::string_view payload) {
  if (payload.size() != node_bytes_size)
    return frame_fault::bad_length;
  if (!peer_node_.empty())
    return payload == peer_node_ ? frame_fault::none
                                 : frame_fault::foreign_node;
  if (payload.substr(0, kind_size) != own_node_.substr(0, kind_size))
    return frame_fault::bad_handshake;
  if (payload == own_node_)
    return frame_fault::foreign_node;
  peer_node_ = payload;
  return frame_fault::none;
}

frame_fault frame_check::check_server_handshake(const header& x,
                                                std::string_view payload) {
  if (x.data != basp_version)
    return frame_fault::other_version;
  auto in = wire_reader{payload};
  auto node = std::string_view{};
  if (x.source != 0 || x.target != 0 || !in.raw(node_bytes_size, node)
      || node.substr(0, kind_size) != own_node_.substr(0, kind_size)
      || !walk_names(in) || !in.skip(sizeof(uint64_t)) || !walk_names(in)
      || !in.at_end())
    return frame_fault::bad_handshake;
  if (node == own_node_)
    return frame_fault::foreign_node;
  peer_node_ = node;
  return frame_fault::none;
}

frame_fault frame_check::check_direct(std::string_view payload) const {
  return fault_of(check_content(payload, peer_, peer_node_));
}

frame_fault frame_check::check_nodes(std::string_view payload,
                                     bool with_error) const {
  auto in = wire_reader{payload};
  auto source = std::string_view{};
  auto target = std::string_view{};
  if (!in.raw(node_bytes_size, source) || !in.raw(node_bytes_size, target))
    return frame_fault::bad_length;
  if (source != peer_node_ || target != own_node_)
    return frame_fault::foreign_node;
  if (with_error && !walk_error(in))
    return frame_fault::malformed_content;
  return in.at_end() ? frame_fault::none : frame_fault::bad_length;
}

} // namespace forkfleet
