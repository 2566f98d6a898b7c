// SPDX-License-Identifier: Apache-2.0
#include "node/agent/guest_access.hpp"

#include <algorithm>
#include <poll.h>

#include <fmt/format.h>

#include "actors/base64.hpp"
#include "actors/bounded_text.hpp"

namespace forkfleet {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds start_look_first{5};
constexpr milliseconds start_look_last{50};
/// For the other one of two starts at once to say what became of it.
constexpr milliseconds start_patience{1000};

/// An output's part of one message, so that both fit.
constexpr std::size_t output_bytes_max = 48 * 1024;

constexpr std::size_t note_bytes_max = 1024;

agent_program shell(std::string script) {
  return {.path = "/bin/sh", .arguments = {"-s"}, .input = std::move(script)};
}

failure lost_program(const operation_id& operation) {
  return {ec::interrupted,
          "the guest knows no program " + operation.value
            + " (any more): it was restarted, or the program was forgotten"};
}

/// What the guest wrote about a start; nothing: not yet.
expected<std::optional<status>>
told_start(guest_agent& agent, const std::string& path, deadline_point until) {
  const auto note = agent.read_piece(path, 0, note_bytes_max, until);
  if (!note)
    return tl::unexpected(note.error());
  if (!*note)
    return std::optional<status>{};
  return std::optional<status>{read_start((*note)->bytes)};
}

/// Whether the shell that was to start a program ended without a word.
expected<std::string> last_words(guest_agent& agent, uint64_t process,
                                 deadline_point until) {
  const auto shell = agent.look(process, until);
  if (!shell)
    return tl::unexpected(shell.error());
  if (!shell->has_ended)
    return std::string{};
  return "the guest's shell did not start it: "
         + (shell->errors.empty() ? "it says nothing"
                                  : bounded_text(shell->errors));
}

status start(guest_agent& agent, const exec_request& request,
             deadline_point until) {
  const auto path = exec_directory(request.operation) + ".start";
  auto told = told_start(agent, path, until);
  if (!told)
    return tl::unexpected(told.error());
  if (*told)
    return **told;
  const auto process = agent.start(shell(start_script(request)), until);
  if (!process)
    return tl::unexpected(process.error());
  auto give_up = until;
  auto why = std::string{};
  for (auto pause = start_look_first;;
       pause = std::min(pause * 2, start_look_last)) {
    told = told_start(agent, path, until);
    if (!told)
      return tl::unexpected(told.error());
    if (*told)
      return **told;
    if (why.empty()) {
      const auto words = last_words(agent, *process, until);
      if (!words)
        return tl::unexpected(words.error());
      why = *words;
      if (!why.empty())
        give_up = std::min(until, steady_clock::now() + start_patience);
    }
    if (steady_clock::now() + pause >= give_up)
      return fail(why.empty() ? ec::deadline_exceeded : ec::vmm_refused,
                  why.empty() ? "the guest did not start it in time" : why);
    ::poll(nullptr, 0, static_cast<int>(pause.count()));
  }
}

/// Whether an output is complete; disk_full when it can not be.
expected<bool> is_complete(guest_agent& agent, const std::string& output,
                           deadline_point until) {
  auto there = agent.is_there(output + ".end", until);
  if (!there || *there)
    return there;
  const auto lost = agent.is_there(output + ".lost", until);
  if (!lost)
    return lost;
  if (*lost)
    return fail(ec::disk_full, "the guest had no space in /run for what the "
                               "program printed: the rest of it is lost");
  return false;
}

/// The next piece of an output. What came before is dropped in the guest.
expected<stream_piece> look_at(guest_agent& agent, const exec_request& request,
                               const std::string& name,
                               const stream_position& at, std::size_t room,
                               bool has_exited, deadline_point until) {
  const auto output = exec_directory(request.operation) + "/" + name;
  const auto segment = [&output](uint64_t x) {
    return output + "." + std::to_string(x);
  };
  if (at.offset == 0 && at.segment > 0)
    if (auto emptied =
          agent.write_piece(segment(at.segment - 1), "w", 0, {}, until);
        !emptied)
      return tl::unexpected(lost_program(request.operation));
  // In this order: what is there now will not grow any more when something
  // follows it already.
  auto complete = expected<bool>{false};
  if (has_exited)
    complete = is_complete(agent, output, until);
  if (!complete && complete.error().code != ec::disk_full)
    return tl::unexpected(complete.error());
  const auto follows = agent.is_there(segment(at.segment + 1), until);
  if (!follows)
    return tl::unexpected(follows.error());
  const auto got =
    agent.read_piece(segment(at.segment), at.offset, room, until);
  if (!got)
    return tl::unexpected(got.error());
  if (!*got)
    return tl::unexpected(lost_program(request.operation));
  const auto& piece = **got;
  const bool is_over = piece.is_end && !*follows;
  if (is_over && piece.bytes.empty() && !complete)
    return tl::unexpected(complete.error());
  return stream_piece{
    .content = to_base64(piece.bytes),
    .next = *follows && piece.is_end
              ? stream_position{at.segment + 1, 0}
              : stream_position{at.segment, at.offset + piece.bytes.size()},
    .has_ended = is_over && complete && *complete};
}

expected<exec_report> look(guest_agent& agent, const exec_request& request,
                           deadline_point until) {
  auto report = exec_report{.operation = request.operation};
  const auto note = agent.read_piece(
    exec_directory(request.operation) + "/status", 0, note_bytes_max, until);
  if (!note)
    return tl::unexpected(note.error());
  if (*note) {
    const auto exit = read_exit((*note)->bytes);
    if (!exit)
      return tl::unexpected(exit.error());
    report.has_exited = true;
    report.status = exit->status;
    report.was_late = exit->was_late;
  }
  auto output = look_at(agent, request, "out", request.output, output_bytes_max,
                        report.has_exited, until);
  if (!output)
    return tl::unexpected(output.error());
  report.output = std::move(*output);
  auto errors =
    look_at(agent, request, "err", request.errors,
            guest_bytes_max - output_bytes_max, report.has_exited, until);
  if (!errors)
    return tl::unexpected(errors.error());
  report.errors = std::move(*errors);
  return report;
}

/// Runs a script that prints what became of it, or nothing.
status run_script(guest_agent& agent, std::string script,
                  deadline_point until) {
  const auto ended = agent.run(shell(std::move(script)), until);
  if (!ended)
    return tl::unexpected(ended.error());
  return ended->output.empty() ? status{} : read_start(ended->output);
}

} // namespace

expected<exec_report> do_exec(guest_agent& agent, const exec_request& request,
                              deadline_point until) {
  auto result = status{};
  switch (request.action) {
    case exec_action::look:
      return look(agent, request, until);
    case exec_action::start:
      result = start(agent, request, until);
      break;
    case exec_action::kill:
      result = run_script(agent, kill_script(request.operation), until);
      break;
    case exec_action::forget:
      result = run_script(agent, forget_script(request.operation), until);
      break;
  }
  if (!result)
    return tl::unexpected(result.error());
  return exec_report{.operation = request.operation};
}

status check(const file_request& request) {
  if (request.path.empty() || request.path.front() != '/'
      || request.path.find('\0') != std::string::npos)
    return fail(ec::invalid_request,
                "path: '" + request.path + "' is not an absolute path");
  const auto content = from_base64(request.content);
  if (!content)
    return fail(ec::invalid_request, "content: not base64");
  if (content->size() > guest_bytes_max)
    return fail(ec::invalid_request,
                fmt::format("content: {} bytes, at most {} in one piece",
                            content->size(), guest_bytes_max));
  return {};
}

expected<file_report> do_file(guest_agent& agent, const file_request& request,
                              deadline_point until) {
  if (request.action == file_action::read) {
    const auto got =
      agent.read_piece(request.path, request.offset, guest_bytes_max, until);
    if (!got)
      return tl::unexpected(got.error());
    if (!*got)
      return fail(ec::invalid_request,
                  "the guest has no file '" + request.path + "'");
    return file_report{.content = to_base64((*got)->bytes),
                       .next = request.offset + (*got)->bytes.size(),
                       .has_ended = (*got)->is_end};
  }
  const auto content = from_base64(request.content).value_or("");
  // Who creates it decides who may read it.
  if (auto written =
        agent.write_piece(request.path, "r+", request.offset, content, until);
      !written)
    return tl::unexpected(written.error());
  return file_report{.next = request.offset + content.size()};
}

status agent_seat::connect(deadline_point until) {
  if (agent_)
    return {};
  auto made = guest_agent::connect(path_, until);
  if (!made)
    return tl::unexpected(made.error());
  agent_.emplace(std::move(*made));
  return {};
}

} // namespace forkfleet
