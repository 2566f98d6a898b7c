// SPDX-License-Identifier: Apache-2.0
// events: what happened in the fleet, and what happens.
#include <thread>

#include <fmt/format.h>

#include "actors/shell/connection.hpp"
#include "actors/shell/list_text.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

using std::chrono::milliseconds;

/// How long the coordinator holds our question while nothing happens.
constexpr milliseconds follow_wait{20'000};
/// How long a follower waits before it asks a lost fleet again.
constexpr milliseconds again_wait{1000};

/// Prints events as they come; with plain JSON all at the end.
class event_printer {
public:
  event_printer(session& io, const config::invocation& given)
    : io_{io}, format_{format_of(given)} {
    // An endless list has no end to close, so followers get lines.
    if (given.has("follow") && format_ == output_format::json)
      format_ = output_format::jsonl;
  }

  void print(const event_list& page) {
    if (page.lost > 0)
      note(io_, fmt::format("{} events were gone before they could be sent",
                            page.lost));
    for (const auto& x : page.events)
      print(x);
    io_.out.flush();
  }

  void finish() {
    if (format_ == output_format::json)
      print_json(io_, format_, all_);
  }

private:
  void print(const fleet_event& x) {
    switch (format_) {
      case output_format::json:
        all_.push_back(schema::to_json(x));
        break;
      case output_format::jsonl:
        print_json(io_, format_, schema::to_json(x));
        break;
      case output_format::name:
        io_.out << printable(x.kind) << '\n';
        break;
      case output_format::table:
      case output_format::wide:
        io_.out << event_line(x, {.utf8 = io_.screen.utf8}) << '\n';
        break;
    }
  }

  session& io_;
  output_format format_;
  schema::json all_ = schema::json::array();
};

/// Whether a follower should go on asking after this error.
bool may_come_back(const failure& x) {
  return group_of(x.code) == ec_group::unknown
         || group_of(x.code) == ec_group::later;
}

exit_code follow(session& io, const config::invocation& given, client& fleet,
                 events_request next) {
  event_printer printer{io, given};
  const auto limit = timeout_of(given) + follow_wait;
  bool is_lost = false;
  while (io.out) {
    const auto page = fleet.ask<event_list>(next, limit);
    if (!page && !may_come_back(page.error()))
      return tell(io, given, page.error());
    if (!page) {
      if (!is_lost)
        note(io, to_string(page.error()) + "; asking again");
      is_lost = true;
      std::this_thread::sleep_for(again_wait);
      continue;
    }
    is_lost = false;
    printer.print(*page);
    next = {.after = page->latest, .wait = follow_wait};
  }
  return exit_code::done;
}

/// All pages that there are.
exit_code list(session& io, const config::invocation& given, client& fleet,
               events_request next) {
  event_printer printer{io, given};
  for (;;) {
    const auto page = fleet.ask<event_list>(next, timeout_of(given));
    if (!page)
      return tell(io, given, page.error());
    printer.print(*page);
    if (page->events.empty())
      break;
    next.after = page->latest;
  }
  printer.finish();
  return exit_code::done;
}

exit_code run_events(session& io, const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const auto since = given.number("since");
  if (!given.has("follow"))
    return list(io, given, reached->fleet, {.after = since.value_or(0)});
  return follow(io, given, reached->fleet,
                {.after = since.value_or(0), .from_now = !given.has("since")});
}

} // namespace

std::vector<verb> event_verbs() {
  return {
    {.entry =
       {.path = "events",
        .summary = "Print what happened in the fleet.",
        .options = {{.name = "follow",
                     .letter = 'f',
                     .doc = "Go on with what happens from now on. JSON comes "
                            "as lines."},
                    {.name = "since",
                     .kind = config::value_kind::number,
                     .placeholder = "N",
                     .doc = "Only events after the one with this number."}},
        .examples = {"forkfleet events", "forkfleet events --follow",
                     "forkfleet events --follow --since 0 -o jsonl"}},
     .run = run_events},
  };
}

} // namespace forkfleet::shell
