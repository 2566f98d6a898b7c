// SPDX-License-Identifier: Apache-2.0
// logs: what a sandbox' serial console printed.
#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "actors/base64.hpp"
#include "actors/shell/connection.hpp"
#include "actors/shell/lost_answer.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

constexpr milliseconds follow_interval{300};
constexpr milliseconds console_again_wait{1000};

/// Prints pieces in order.
class console_printer {
public:
  console_printer(session& io, output_format format, bool is_raw)
    : io_{io}, format_{format}, is_raw_{is_raw} {}

  status print(const console_report& piece) {
    if (piece.dropped_bytes > 0)
      note(io_, fmt::format("{} bytes before offset {} are not kept any more; "
                            "limits.console in the fleet file keeps more",
                            piece.dropped_bytes, piece.offset));
    const auto bytes = from_base64(piece.content);
    if (!bytes)
      return fail(ec::vmm_refused, "what the node tells is not base64");
    if (bytes->empty())
      return {};
    if (is_json(format_))
      print_json(io_, output_format::jsonl,
                 {{"offset", piece.offset},
                  {"content", piece.content},
                  {"dropped_bytes", piece.dropped_bytes}});
    else
      io_.out << (is_raw_ ? *bytes : harmless(*bytes));
    io_.out.flush();
    return {};
  }

private:
  /// Without what could steer the terminal: a guest may print anything.
  static std::string harmless(const std::string& text) {
    auto result = std::string{};
    for (std::size_t at = 0; at < text.size();) {
      const auto end = std::min(text.find('\n', at), text.size());
      auto line = text.substr(at, end - at);
      std::erase(line, '\r');
      std::ranges::replace(line, '\t', ' ');
      result += printable(line);
      if (end < text.size())
        result += '\n';
      at = end + 1;
    }
    return result;
  }

  session& io_;
  output_format format_;
  bool is_raw_;
};

exit_code run_logs(session& io, const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const bool follows = given.has("follow");
  console_printer printer{io, format_of(given),
                          given.has("raw") || !io.screen.is_tty};
  auto next = console_request{.sandbox = {given.positional("SANDBOX")},
                              .tail = given.number("tail").value_or(0)};
  bool is_lost = false;
  while (io.out) {
    const auto piece =
      reached->fleet.ask<console_report>(next, timeout_of(given));
    if (!piece && !(follows && is_open(piece.error(), true)))
      return tell(io, given, piece.error());
    if (!piece) {
      if (!std::exchange(is_lost, true))
        note(io, to_string(piece.error()) + "; asking again");
      std::this_thread::sleep_for(console_again_wait);
      continue;
    }
    is_lost = false;
    if (auto fine = printer.print(*piece); !fine)
      return tell(io, given, fine.error());
    if (piece->has_ended && !follows)
      return exit_code::done;
    if (piece->has_ended)
      std::this_thread::sleep_for(follow_interval);
    next.offset = piece->next;
    next.tail = 0;
  }
  return exit_code::done;
}

} // namespace

std::vector<verb> console_verbs() {
  using enum config::value_kind;
  return {{.entry = {.path = "logs",
                     .summary = "Print what a sandbox' serial console printed.",
                     .options = {{.name = "follow",
                                  .letter = 'f',
                                  .doc = "Go on with what it prints from now "
                                         "on."},
                                 {.name = "tail",
                                  .letter = 'n',
                                  .kind = number,
                                  .placeholder = "N",
                                  .doc = "Only the last N lines, of the last "
                                         "64 KiB at most.",
                                  .min = 1},
                                 {.name = "raw",
                                  .doc = "Also on a terminal, print what the "
                                         "guest printed as it is: it may "
                                         "steer the terminal."}},
                     .positionals = {{.name = "SANDBOX", .doc = "Which one."}},
                     .examples = {"forkfleet logs child-1 --tail 20",
                                  "forkfleet logs child-1 --follow"},
                     .details = "Also of a sandbox whose VM has ended, until "
                                "it is stopped. The last limits.console bytes "
                                "are kept; what is missing is told. With JSON, "
                                "pieces come as lines, in base64, each with "
                                "the bytes that are missing before it."},
           .run = run_logs}};
}

} // namespace forkfleet::shell
