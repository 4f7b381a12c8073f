// Signal probability of each event in a CSV file, from the header that SOFIE emitted for the model `mlp`.
//
//     events EVENTS.csv [WEIGHTS.dat]
//
// Prints one probability a line, and at the end the fraction of events that were classified right.

#include "mlp.hxx"

#include <cstddef>
#include <cstdio>
#include <exception>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr std::size_t variables = 4;

struct Events {
   std::vector<float> x; // row by row, `variables` numbers an event
   std::vector<bool> signal;
};

// Reads var1,var2,var3,var4,label; the first line holds the names.
Events read(const std::string &file)
{
   std::ifstream csv(file);
   std::string line;
   if (!std::getline(csv, line))
      throw std::runtime_error("cannot read " + file);
   Events events;
   for (std::size_t number = 2; std::getline(csv, line); ++number) {
      std::istringstream fields(line);
      float value = 0;
      int label = 0;
      char comma = 0;
      for (std::size_t i = 0; i < variables; ++i) {
         fields >> value >> comma;
         events.x.push_back(value);
      }
      if (!(fields >> label))
         throw std::runtime_error(file + ", line " + std::to_string(number) + ": not four variables and a label");
      events.signal.push_back(label == 1);
   }
   if (events.signal.empty())
      throw std::runtime_error(file + " holds no events");
   return events;
}

} // namespace

int main(int argc, char **argv)
try {
   if (argc < 2 || argc > 3) {
      std::fprintf(stderr, "usage: %s EVENTS.csv [WEIGHTS.dat]\n", argv[0]);
      return 2;
   }
   const Events events = read(argv[1]);
   const std::size_t n = events.signal.size();

   // The second argument is the largest batch that will be asked for: the session allocates once, here.
   SOFIE_mlp::Session session(argc == 3 ? argv[2] : "mlp.dat", n);
   const std::vector<float> probability = session.infer(n, events.x.data());

   std::size_t right = 0;
   for (std::size_t i = 0; i < n; ++i) {
      std::printf("%.6f\n", probability[i]);
      right += (probability[i] > 0.5F) == events.signal[i];
   }
   std::printf("right: %.4f\n", static_cast<double>(right) / static_cast<double>(n));
} catch (const std::exception &error) {
   std::fprintf(stderr, "%s\n", error.what());
   return 1;
}
