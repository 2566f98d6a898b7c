// SPDX-License-Identifier: Apache-2.0
// A peer's frames, on their way to the actor library. The first byte chooses
// who the peer is; what follows comes after its introduction.
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "actors/link/frame_check.hpp"
#include "tests/fuzz/fuzz_target.hpp"

using namespace forkfleet;

namespace {

// "default", as CAF packs it, and who it is of.
std::string node_bytes(char seed) {
  return std::string{"\x00\x00\x3e\x9a\xab\x9b\xac\x79", 8}
         + std::string(24, seed);
}

struct peer_kind {
  peer_role role;
  std::string_view host;
};

constexpr auto kinds = std::to_array<peer_kind>({{peer_role::client, ""},
                                                 {peer_role::node, "h1"},
                                                 {peer_role::local, ""},
                                                 {peer_role::coordinator, ""}});

/// A peer that has introduced itself, and that was asked everything.
struct conversation {
  exchange with;
  frame_check check;
  std::vector<char> out;

  explicit conversation(const peer_kind& kind)
    : with(kind.role, std::string{kind.host}),
      check(kind.role == peer_role::coordinator ? frame_check::side::dialled
                                                : frame_check::side::accepted,
            node_bytes('a'), with) {
    with.open_to_peer(12);
    auto request = uint64_t{0};
    for (const auto& x : all_questions())
      with.note_asked(31, message_bits::is_normal | ++request, x);
    introduce(kind.role == peer_role::coordinator);
  }

  void introduce(bool is_server) {
    const auto node = node_bytes('b');
    // No application's names, the offered actor's number, no messages.
    const auto server =
      node + std::string(1, '\0') + std::string(8, '\1') + std::string(1, '\0');
    const auto& payload = is_server ? server : node;
    const auto head =
      frame_header{.what = is_server ? frame_operation::server_handshake
                                     : frame_operation::client_handshake,
                   .payload_size = static_cast<uint32_t>(payload.size()),
                   .data = is_server ? uint64_t{3} : uint64_t{0}};
    test::promise(check.feed(head.bytes() + payload, out) == frame_fault::none);
    out.clear();
  }
};

} // namespace

FORKFLEET_FUZZ(frames) {
  if (bytes.empty())
    return;
  const auto& kind = kinds[bytes.front() % kinds.size()];
  const auto text = test::text_of(bytes.subspan(1));
  auto whole = conversation{kind};
  const auto fault = whole.check.feed(text, whole.out);
  // Nothing is added to what was sent, and no more than one frame waits.
  test::promise(whole.out.size() <= text.size());
  test::promise(whole.with.questions() <= exchange_bounds{}.questions_max);
  // It does not depend on the pieces that it comes in.
  auto pieces = conversation{kind};
  auto same = frame_fault::none;
  for (auto at = std::size_t{0}; at < text.size() && same == frame_fault::none;
       at += 7)
    same = pieces.check.feed(text.substr(at, 7), pieces.out);
  test::promise(same == fault && pieces.out == whole.out);
}
