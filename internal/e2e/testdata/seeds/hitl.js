class HITLIntegration {
  constructor(apiKey, baseUrl) {
    this.apiKey = apiKey;
    this.baseUrl = baseUrl;
  }

  async submitForReview(content, loopId) {
    const response = await fetch(`${this.baseUrl}/loops/${loopId}/requests`, {
      method: 'POST',
      headers: {
        'Authorization': `Bearer ${this.apiKey}`,
        'Content-Type': 'application/json'
      },
      body: JSON.stringify({
        content: content.text,
        content_type: 'text',
        priority: 'normal'
      })
    });
    return response.json();
  }

  async checkStatus(requestId) {
    const response = await fetch(`${this.baseUrl}/requests/${requestId}/status`, {
      headers: {
        'Authorization': `Bearer ${this.apiKey}`
      }
    });
    return response.json();
  }
}

// Usage in your application
const hitl = new HITLIntegration(API_KEY, 'https://api.hitl.sh/v1');

document.getElementById('submit-button').addEventListener('click', async () => {
  const content = document.getElementById('content-input').value;
  const request = await hitl.submitForReview(content, 'loop_123');

  // Show pending status
  showPendingStatus(request.id);

  // Poll for completion
  pollForCompletion(request.id);
});
