const API_KEY = "your-api-key";
const BASE = "https://api.humanops.io/api/v1";

// Create a task
const res = await fetch(`${BASE}/tasks`, {
  method: "POST",
  headers: {
    "X-API-Key": API_KEY,
    "Content-Type": "application/json",
  },
  body: JSON.stringify({
    title: "Inspect construction site",
    description: "Visit the site at 789 Elm St and photograph all four corners.",
    task_type: "INSPECTION",
    location: { lat: 39.7392, lng: -104.9903, address: "789 Elm St, Denver, CO" },
    reward_usd: 50,
    deadline: "2026-02-08T17:00:00Z",
    proof_requirements: ["4 photos (one per corner)", "Brief notes on visible safety issues"],
  }),
});

const task = await res.json();
console.log(`Task ${task.task_id}: ${task.status}`);
