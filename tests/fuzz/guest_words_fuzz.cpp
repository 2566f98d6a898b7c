// SPDX-License-Identifier: Apache-2.0
// What a guest answers through its agent: lines of JSON, and in them what its
// shell printed.
#include "actors/bounded_text.hpp"
#include "actors/schema/json_limits.hpp"
#include "actors/utf8.hpp"
#include "node/agent/exec_script.hpp"
#include "node/agent/identity.hpp"
#include "node/qemu/line_reader.hpp"
#include "node/qemu/qmp_client.hpp"
#include "tests/fuzz/fuzz_target.hpp"

using namespace forkfleet;

namespace {

bool is_harmless(std::string_view text) {
  while (!text.empty()) {
    const auto next = decode_utf8(text);
    if (!next.is_valid || is_control(next.code))
      return false;
    text.remove_prefix(next.length);
  }
  return true;
}

void check_words(std::string_view text) {
  const auto shown = bounded_text(text);
  test::promise(shown.size() <= bounded_text_max && is_harmless(shown));
  test::promise(bounded_text(shown) == shown);
  if (const auto receipt = read_receipt(text))
    for (const auto& value : {receipt->hostname, receipt->machine_id,
                              receipt->entropy, receipt->sample})
      test::promise(value.size() <= bounded_text_max && is_harmless(value));
  const auto started = read_start(text);
  test::promise(started || is_harmless(started.error().message));
  const auto exited = read_exit(text);
  test::promise(!exited || exited->status <= 255);
}

} // namespace

FORKFLEET_FUZZ(guest_words) {
  const auto text = test::text_of(bytes);
  check_words(text);
  auto lines = qemu::line_reader{1024};
  // In pieces as a socket brings them.
  const auto step = bytes.empty() ? 1 : 1 + bytes.front() % 64;
  for (std::size_t at = 0; at < text.size(); at += step) {
    lines.append(text.substr(at, step));
    while (const auto line = lines.next()) {
      test::promise(line->size() <= 1024);
      const auto value =
        schema::parse_json(*line, {.values_max = 64, .text_bytes_max = 256});
      if (!value)
        continue;
      check_words(qemu::text_member(*value, "return"));
      static_cast<void>(qemu::number_member(*value, "return"));
      static_cast<void>(qemu::bool_member(*value, "eof"));
    }
  }
}
