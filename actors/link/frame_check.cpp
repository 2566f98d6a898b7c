// SPDX-License-Identifier: Apache-2.0
#include "actors/link/frame_check.hpp"

#include <algorithm>

#include "actors/link/limits.hpp"

namespace forkfleet {

namespace {

using operation = frame_operation;

constexpr std::size_t header_size = frame_header::size;
constexpr uint64_t basp_version = 3;
constexpr std::size_t server_handshake_max = 16 * 1024;
constexpr std::size_t pair_size = 2 * node_bytes_size;
constexpr std::size_t down_max = 4 * 1024;
constexpr std::size_t info_request_max = 256;
constexpr std::size_t listed_names_max = 64;
constexpr unsigned handshakes_max = 4;

// "default", as CAF packs it: the kind of node identity that programs have.
constexpr std::size_t kind_size = sizeof(uint64_t);
// CAF's remote spawn service. A fresh connection always asks it for news;
// what it could do beyond that is nobody's business.
constexpr std::string_view spawn_service = "SpawnServ";

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

// Gives the last frame in `out` its turn: a tool's wait behind a node's.
void set_turn(std::vector<char>& out, std::size_t frame_size, bool is_first) {
  const auto start = out.end() - static_cast<std::ptrdiff_t>(frame_size);
  auto head = frame_header::read({&*start, header_size});
  head.data &= ~message_bits::is_normal;
  if (!is_first)
    head.data |= message_bits::is_normal;
  const auto bytes = head.bytes();
  std::copy(bytes.begin(), bytes.end(), start);
}

bool is_request(const frame_header& x) {
  return x.what == operation::direct_message && !x.is_for_service()
         && !x.is_answer() && (x.data & message_bits::is_stream) == 0
         && x.request() != 0 && x.source != 0 && x.target != 0;
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
    case content_verdict::foreign_host:
      return frame_fault::foreign_host;
  }
  return frame_fault::malformed_content;
}

} // namespace

frame_check::frame_check(side which, std::string_view own_node, exchange& with)
  : side_(which), with_(with), own_node_(own_node) {
  // nop
}

frame_fault frame_check::feed(std::string_view bytes, std::vector<char>& out) {
  if (fault_ != frame_fault::none)
    return fault_;
  pending_.append(bytes);
  auto rest = std::string_view{pending_};
  while (rest.size() >= header_size) {
    const auto head = frame_header::read(rest);
    fault_ = check_header(head);
    const auto size = header_size + head.payload_size;
    if (fault_ != frame_fault::none || rest.size() < size)
      break;
    const auto frame = rest.substr(0, size);
    fate_ = head.is_for_service() ? fate::goes_nowhere : fate::passes;
    fault_ = check_frame(head, frame.substr(header_size));
    if (fault_ != frame_fault::none) {
      if (side_ == side::accepted && is_request(head))
        request_at_fault_ = head;
      break;
    }
    if (fate_ != fate::goes_nowhere)
      out.insert(out.end(), frame.begin(), frame.end());
    if (fate_ == fate::passes_first || fate_ == fate::passes_later)
      set_turn(out, size, fate_ == fate::passes_first);
    ++frames_;
    rest.remove_prefix(size);
  }
  pending_.erase(0, pending_.size() - rest.size());
  return fault_;
}

frame_fault frame_check::check_header(const frame_header& x) const {
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
    x.what == operation::client_handshake ? frame_header::select_connection
    : x.what == operation::direct_message ? frame_header::named_receiver
                                          : uint8_t{0};
  if ((x.flags & ~flags_allowed) != 0)
    return frame_fault::bad_header;
  if (x.is_for_service()
      && (x.target != packed(spawn_service)
          || x.payload_size > info_request_max))
    return frame_fault::named_receiver;
  return frame_fault::none;
}

frame_fault frame_check::check_frame(const frame_header& x,
                                     std::string_view payload) {
  switch (x.what) {
    case operation::server_handshake:
      return check_server_handshake(x, payload);
    case operation::client_handshake:
      if (x.data != 0 || x.source != 0 || x.target != 0)
        return frame_fault::bad_header;
      return check_client_handshake(payload);
    case operation::direct_message:
      if ((x.data & message_bits::is_stream) != 0)
        return frame_fault::stream_message;
      if (x.target == 0)
        return frame_fault::bad_header;
      return x.is_for_service() ? frame_fault::none : check_direct(x, payload);
    case operation::monitor_message:
      if (x.data != 0 || x.source != 0 || x.target == 0)
        return frame_fault::bad_header;
      if (!with_.take_monitor(x.target))
        fate_ = fate::goes_nowhere;
      return check_nodes(payload, false);
    case operation::down_message:
      if (x.data != 0 || x.source == 0 || x.target != 0)
        return frame_fault::bad_header;
      with_.drop_actor(x.source);
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
  if (++handshakes_ > handshakes_max)
    return frame_fault::unexpected_operation;
  if (!peer_node_.empty())
    return payload == peer_node_ ? frame_fault::none
                                 : frame_fault::foreign_node;
  if (payload.substr(0, kind_size) != own_node_.substr(0, kind_size))
    return frame_fault::bad_handshake;
  if (payload == own_node_)
    return frame_fault::foreign_node;
  return greet(payload);
}

frame_fault frame_check::check_server_handshake(const frame_header& x,
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
  return greet(node);
}

frame_fault frame_check::greet(std::string_view node) {
  peer_node_ = node;
  const auto then = std::exchange(greeted_, nullptr);
  return then ? then() : frame_fault::none;
}

frame_fault frame_check::check_direct(const frame_header& x,
                                      std::string_view payload) {
  if (!with_.take_actor(x.source))
    return frame_fault::too_many_actors;
  return x.is_answer() ? check_answer_frame(x, payload)
                       : check_request(x, payload);
}

// CAF finds whom an answer is for by a number that others can guess: it is
// believed only from whom was asked, on the connection that was asked over.
frame_fault frame_check::check_answer_frame(const frame_header& x,
                                            std::string_view payload) {
  if (with_.peer() == peer_role::client)
    return frame_fault::answer_of_tool;
  const auto* asked = with_.find_asked(x.target, x.data);
  if (asked == nullptr) {
    // One that was on its way when a connection ended is no fault.
    fate_ = fate::goes_nowhere;
    ++answers_refused_;
    return frame_fault::none;
  }
  auto head = content_head{};
  if (!read_head(payload, head))
    return frame_fault::malformed_content;
  const auto who = speaker{peer_node_, with_.host()};
  const auto is_node = with_.peer() != peer_role::coordinator;
  const auto fault = fault_of(check_answer(*asked, head, who, is_node));
  if (fault == frame_fault::none)
    with_.take_asked(x.target, x.data);
  return fault;
}

frame_fault frame_check::check_request(const frame_header& x,
                                       std::string_view payload) {
  auto head = content_head{};
  auto hello = hello_content{};
  if (!read_head(payload, head))
    return frame_fault::malformed_content;
  const auto* asked = find_question(head.types, with_.peer());
  if (asked == nullptr)
    return frame_fault::forbidden_content;
  const auto who = speaker{peer_node_, with_.host()};
  const auto fault = fault_of(check_question(*asked, head.values, who, hello));
  if (fault != frame_fault::none)
    return fault;
  if (x.request() == 0 || x.source == 0)
    return frame_fault::no_request;
  if (!with_.may_be_asked(x.target))
    return frame_fault::wrong_receiver;
  if (asked->is_hello) {
    if (!with_.take_actor(hello.actor))
      return frame_fault::too_many_actors;
    with_.bind_host(hello.host);
    with_.set_node();
  }
  if (asked->kind != question_kind::of_coordinator)
    fate_ = asked->kind == question_kind::of_node ? fate::passes_first
                                                  : fate::passes_later;
  return with_.must_be_node() ? frame_fault::no_place : admit(x, *asked);
}

frame_fault frame_check::admit(const frame_header& x, const question& asked) {
  const auto taken = with_.take_question(x.source, x.data, asked);
  if (taken == exchange::admission::repeated)
    return frame_fault::repeated_request;
  if (taken == exchange::admission::taken)
    return frame_fault::none;
  fate_ = fate::goes_nowhere;
  refusals_.push_back(
    {x, taken == exchange::admission::too_many
          ? "too many of your requests are not answered or not read"
          : "too many of your requests wait for events"});
  return frame_fault::none;
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
