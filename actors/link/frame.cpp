// SPDX-License-Identifier: Apache-2.0
#include "actors/link/frame.hpp"

namespace forkfleet {

namespace {

// CAF packs a name of at most ten characters into a number, six bits each.
constexpr uint64_t packed(std::string_view name) {
  constexpr std::string_view letters =
    " 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
  auto sum = uint64_t{0xF};
  for (const auto c : name)
    sum = (sum << 6) | letters.find(c);
  return sum;
}

constexpr uint64_t our_errors = packed("forkfleet");

template <class T>
void put(std::string& out, T x) {
  for (auto shift = sizeof(T) * 8; shift > 0; shift -= 8)
    out += static_cast<char>((static_cast<uint64_t>(x) >> (shift - 8)) & 0xFF);
}

void put_text(std::string& out, std::string_view x) {
  auto left = x.size();
  for (; left > 0x7F; left >>= 7)
    out += static_cast<char>((left & 0x7F) | 0x80);
  out += static_cast<char>(left);
  out += x;
}

} // namespace

std::string frame_header::bytes() const {
  auto out = std::string{};
  out.reserve(size);
  put(out, static_cast<uint8_t>(what));
  put(out, padding);
  put(out, flags);
  put(out, payload_size);
  put(out, data);
  put(out, source);
  put(out, target);
  return out;
}

std::string make_error_frame(const frame_header& asked, uint8_t code,
                             std::string_view text) {
  auto payload = std::string{};
  put_text(payload, {}); // no stages
  put(payload, uint16_t{0});
  put_text(payload, "@<>+@error");
  put(payload, code);
  put(payload, our_errors);
  put(payload, uint16_t{0});
  put_text(payload, "@<>+@str");
  put_text(payload, text);
  const auto head =
    frame_header{.what = frame_operation::direct_message,
                 .payload_size = static_cast<uint32_t>(payload.size()),
                 .data = asked.data | message_bits::is_answer,
                 .source = asked.target,
                 .target = asked.source};
  return head.bytes() + payload;
}

} // namespace forkfleet
