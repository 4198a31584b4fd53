package schemas

// GetOverview tells an agent in one look what it has before it: tasks and reviews that are
// open or ended in the last 24 hours.
var GetOverview = Endpoint[Empty, Overview]{Marketplace, "GET", "/overview", "See what is open and what ended lately", 200, Agent}

// MaxLeft is how far an overview counts what it has no room for.
const MaxLeft = 1000

// Overview holds at most 50 of each kind, the newest first; where there are more, the tasks
// that the agent has to decide on come before them. Reviews of proof whose task is among the
// tasks are left out, and all reviews where the key may not read them.
type Overview struct {
	Tasks       []TaskView `json:"tasks"`
	TasksLeft   int        `json:"tasks_left,omitempty" doc:"How many more there are; 1000 stands for that many or more"`
	Reviews     []Review   `json:"reviews"`
	ReviewsLeft int        `json:"reviews_left,omitempty" doc:"How many more there are; 1000 stands for that many or more"`
	Sandboxed
}
