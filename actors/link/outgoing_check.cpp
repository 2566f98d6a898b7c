// SPDX-License-Identifier: Apache-2.0
#include "actors/link/outgoing_check.hpp"

#include <algorithm>

#include "actors/error.hpp"
#include "actors/link/limits.hpp"

namespace forkfleet {

namespace {

bool skip_names(wire_reader& in) {
  auto count = std::size_t{0};
  auto name = std::string_view{};
  if (!in.length(count))
    return false;
  for (auto i = std::size_t{0}; i < count; ++i)
    if (!in.text(name))
      return false;
  return true;
}

void append(std::vector<char>& out, std::string_view bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

std::string size_text(std::size_t bytes) {
  return std::to_string(bytes) + " bytes, more than the "
         + std::to_string(frame_payload_max) + " of a message";
}

} // namespace

void outgoing_check::feed(std::string_view bytes, std::vector<char>& out,
                          std::vector<char>& back) {
  while (!bytes.empty()) {
    const auto skipped = std::min(to_skip_, bytes.size());
    to_skip_ -= skipped;
    bytes.remove_prefix(skipped);
    const auto wanted =
      pending_.size() < frame_header::size
        ? frame_header::size
        : frame_header::size + frame_header::read(pending_).payload_size;
    const auto taken = std::min(wanted - pending_.size(), bytes.size());
    pending_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (pending_.size() < frame_header::size)
      return;
    const auto head = frame_header::read(pending_);
    if (head.payload_size > frame_payload_max) {
      to_skip_ = head.payload_size;
      pending_.clear();
      stop(head, out, back);
    } else if (pending_.size() == frame_header::size + head.payload_size) {
      pass(head, std::string_view{pending_}.substr(frame_header::size), out);
      pending_.clear();
    }
  }
}

void outgoing_check::pass(const frame_header& head, std::string_view payload,
                          std::vector<char>& out) {
  auto sent = head;
  if (head.what == frame_operation::server_handshake)
    note_handshake(payload);
  else if (head.what == frame_operation::down_message)
    with_.hide(head.source);
  else if (head.what == frame_operation::direct_message
           && !head.is_for_service())
    note_direct(sent, payload);
  append(out, sent.bytes());
  append(out, payload);
}

void outgoing_check::note_direct(frame_header& head, std::string_view payload) {
  with_.show(head.source);
  if (head.is_answer()) {
    const auto asked = with_.note_answered(head.target, head.data);
    if (asked == 0)
      return;
    ++answers_;
    head.data = asked | message_bits::is_answer;
    return;
  }
  auto content = content_head{};
  if (head.request() == 0 || !read_head(payload, content))
    return;
  const auto* asked = find_question(content.types);
  if (asked == nullptr)
    return;
  with_.note_asked(head.source, head.data, *asked);
  auto hello = hello_content{};
  if (!asked->is_hello)
    return;
  check_question(*asked, content.values, {}, hello);
  with_.open_to_peer(hello.actor);
}

void outgoing_check::note_handshake(std::string_view payload) {
  auto in = wire_reader{payload};
  auto actor = uint64_t{0};
  if (in.skip(node_bytes_size) && skip_names(in) && in.number(actor))
    with_.open_to_peer(actor);
}

void outgoing_check::stop(const frame_header& head, std::vector<char>& out,
                          std::vector<char>& back) {
  oversizes_.push_back({head, head.payload_size});
  if (head.what != frame_operation::direct_message || head.request() == 0)
    return;
  const auto size = size_text(head.payload_size);
  if (!head.is_answer())
    return append(
      back, make_error_frame(head, static_cast<uint8_t>(ec::invalid_request),
                             "this request takes " + size));
  const auto asked = with_.note_answered(head.target, head.data);
  ++answers_;
  // As an answer goes, from our actor to the peer's.
  const auto question = frame_header{.data = asked == 0 ? head.data : asked,
                                     .source = head.target,
                                     .target = head.source};
  append(out, make_error_frame(question, static_cast<uint8_t>(ec::interrupted),
                               "it was done, but its answer takes " + size));
}

} // namespace forkfleet
