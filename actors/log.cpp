// SPDX-License-Identifier: Apache-2.0
#include "actors/log.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <mutex>

#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "actors/log_limit.hpp"
#include "actors/suppressed_lines.hpp"

namespace forkfleet::log {

namespace {

// What tells the story may come in bursts: a fork of a thousand children.
constexpr log_limit::rates story_rates{
  .burst = 1000, .per_second = 20, .all_subjects = 2};
constexpr log_limit::rates trouble_rates{};

struct limits {
  std::mutex mutex;
  log_limit story{story_rates};
  log_limit trouble{trouble_rates};
};

// Never destroyed, as the sink.
limits& all_limits() {
  static auto* const only = new limits;
  return *only;
}

// Who causes a line. A port of an address is no other subject.
std::string_view subject_of(fields facts) {
  constexpr auto keys =
    std::to_array<std::string_view>({"identity", "peer", "host", "actor"});
  for (const auto key : keys)
    for (const auto& fact : facts)
      if (fact.key == key && !fact.text.empty())
        return key == "peer"
                 ? std::string_view{fact.text}.substr(0, fact.text.rfind(':'))
                 : std::string_view{fact.text};
  return {};
}

bool is_within_limit(level x, std::string_view event, fields facts) {
  auto& all = all_limits();
  const auto now = std::chrono::steady_clock::now();
  const auto lock = std::lock_guard{all.mutex};
  auto& chosen = x == level::info ? all.story : all.trouble;
  return chosen.take(event, subject_of(facts), now);
}

std::string_view name_of(level x) {
  switch (x) {
    case level::debug:
      return "debug";
    case level::info:
      return "info";
    case level::warn:
      return "warn";
    case level::error:
      return "error";
  }
  return "error";
}

std::string_view environment(const char* name) {
  const auto* value = std::getenv(name);
  return value == nullptr ? std::string_view{} : value;
}

level chosen_level() {
  const auto wanted = environment("FORKFLEET_LOG_LEVEL");
  for (const auto x : {level::debug, level::info, level::warn, level::error})
    if (wanted == name_of(x))
      return x;
  return level::info;
}

struct output {
  bool as_json = environment("FORKFLEET_LOG") == "json";
  level least = chosen_level();
  spdlog::logger logger{"forkfleet",
                        std::make_shared<spdlog::sinks::stderr_sink_mt>()};

  output() {
    logger.set_level(spdlog::level::trace);
    logger.flush_on(spdlog::level::trace);
    // The body of a JSON line ends the object that the pattern begins.
    logger.set_pattern(as_json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ",%v)" : "%v",
                       spdlog::pattern_time_type::utc);
  }
};

// Never destroyed: actors may log while the process ends.
output& sink() {
  static auto* const only = new output;
  return *only;
}

// Everything that is not printable ASCII becomes an escape, so that no value
// can end a line or steer a terminal.
std::string in_quotes(std::string_view text) {
  using json = nlohmann::json;
  return json(text).dump(-1, ' ', true, json::error_handler_t::replace);
}

bool is_plain(std::string_view text) {
  constexpr std::string_view marks = "-_./:@+,%#*()[]";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || marks.find(c) != marks.npos;
  });
}

std::string json_body(level x, std::string_view event, fields facts) {
  auto line = "\"level\":" + in_quotes(name_of(x));
  line += ",\"event\":" + in_quotes(event);
  for (const auto& fact : facts) {
    line += ',' + in_quotes(fact.key) + ':';
    line += fact.quoted ? in_quotes(fact.text) : fact.text;
  }
  return line + '}';
}

std::string plain_line(level x, std::string_view event, fields facts) {
  auto line = std::string{name_of(x)} + ' ' + std::string{event};
  for (const auto& fact : facts) {
    line += ' ' + std::string{fact.key} + '=';
    line +=
      fact.quoted && !is_plain(fact.text) ? in_quotes(fact.text) : fact.text;
  }
  return line;
}

} // namespace

void write(level x, std::string_view event, fields facts) {
  auto& out = sink();
  if (x < out.least || !is_within_limit(x, event, facts))
    return;
  const auto line =
    out.as_json ? json_body(x, event, facts) : plain_line(x, event, facts);
  out.logger.log(spdlog::level::info, spdlog::string_view_t{line});
}

void tell_suppressed() {
  auto counts = std::vector<log_limit::suppressed>{};
  {
    auto& all = all_limits();
    const auto lock = std::lock_guard{all.mutex};
    for (auto* one : {&all.story, &all.trouble})
      for (auto& x : one->take_suppressed())
        counts.push_back(std::move(x));
  }
  for (const auto& x : counts)
    write(level::warn, "lines.suppressed",
          {{"event", x.event}, {"count", x.count}});
}

bool is_on(level x) {
  return x >= sink().least;
}

std::string line_for(level x, std::string_view event, fields facts,
                     bool as_json) {
  return as_json ? '{' + json_body(x, event, facts)
                 : plain_line(x, event, facts);
}

} // namespace forkfleet::log
