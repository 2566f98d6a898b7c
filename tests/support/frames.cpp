// SPDX-License-Identifier: Apache-2.0
#include "tests/support/frames.hpp"

namespace forkfleet::test {

namespace {

constexpr uint64_t request_id = 0x1000000000000001;

} // namespace

std::string number(uint64_t x, int bytes) {
  auto result = std::string{};
  for (auto i = bytes - 1; i >= 0; --i)
    result += i < 8 ? static_cast<char>((x >> (8 * i)) & 0xFF) : '\0';
  return result;
}

std::string packed_length(uint64_t x) {
  auto result = std::string{};
  for (; x > 0x7F; x >>= 7)
    result += static_cast<char>((x & 0x7F) | 0x80);
  return result + static_cast<char>(x);
}

std::string packed_text(std::string_view x) {
  return packed_length(x.size()) + std::string{x};
}

uint64_t packed_name(std::string_view x) {
  constexpr std::string_view letters =
    " 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
  auto sum = uint64_t{0xF};
  for (const auto c : x)
    sum = (sum << 6) | letters.find(c);
  return sum;
}

std::string node_bytes(unsigned seed) {
  return number(packed_name("default"), 8) + number(0x80000000U | seed, 4)
         + std::string(20, static_cast<char>('a' + seed % 26));
}

std::string frame::bytes() const {
  const auto size =
    claimed_size.value_or(static_cast<uint32_t>(payload.size()));
  return number(static_cast<uint8_t>(what), 1) + number(padding, 2)
         + number(flags, 1) + number(size, 4) + number(data, 8)
         + number(source, 8) + number(target, 8) + payload;
}

frame client_handshake(const std::string& node) {
  return {.what = basp::client_handshake, .payload = node};
}

frame server_handshake(const std::string& node,
                       const std::vector<std::string>& messages) {
  auto payload = node + packed_length(1) + packed_text("caf.basp.test")
                 + number(some_actor, 8) + packed_length(messages.size());
  for (const auto& x : messages)
    payload += packed_text(x);
  return {.what = basp::server_handshake, .data = 3, .payload = payload};
}

frame monitor(const std::string& peer, const std::string& own) {
  return {.what = basp::monitor, .target = some_actor, .payload = peer + own};
}

frame down(const std::string& peer, const std::string& own) {
  return {.what = basp::down,
          .source = some_actor,
          .payload = peer + own + packed_error(1)};
}

frame direct(std::string_view types, std::string_view values) {
  return {.what = basp::direct,
          .data = request_id,
          .source = some_actor,
          .target = some_actor,
          .payload = packed_length(0) + number(0, 2)
                     + packed_text("@<>" + std::string{types})
                     + std::string{values}};
}

std::string packed_error(uint8_t code) {
  return number(code, 1) + number(packed_name("exit"), 8) + number(0, 2)
         + packed_text("@<>");
}

frame sound_request() {
  return direct("+forkfleet::operation_query", packed_text("op-1"));
}

} // namespace forkfleet::test
